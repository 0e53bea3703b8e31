"""`gemel serve`: the release that a pointer chooses, over HTTP, with its page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from gemel.cli import show
from gemel.cli.options import ConfigFile, Sets
from gemel.cli.project import Project
from gemel.config import FILE
from gemel.errors import ConfigError, GalleryUnavailable, UnknownPath

if TYPE_CHECKING:
    from gemel.gallery.gallery import Gallery
    from gemel.ledger.changes import Accounted
    from gemel.ledger.ledger import Ledger
    from gemel.release.release import Release
    from gemel.serve.grpc.door import GrpcDoor
    from gemel.serve.http.front import Front
    from gemel.serve.keeping import Keeper
    from gemel.serve.projects import Projects
    from gemel.settings import ServeSettings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one.")] = None,
    grpc_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="gRPC as well; 0: any free port.")
    ] = None,
    read_only: Annotated[
        bool | None,
        typer.Option("--read-only", help="Beside the service that changes records."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
) -> None:
    """Serve verify, search and records, and the page, until Ctrl-C; follows its pointer."""
    from gemel.serve.http import server
    from gemel.telemetry import log_to

    flags = {"host": host, "port": port, "grpc_port": grpc_port, "read_only": read_only}
    project = Project.open(config, sets, {f"serve.{name}": flag for name, flag in flags.items()})
    log = log_to()
    with application(project, log) as app:
        settings = _placed(project)
        beside = _grpc(app, settings, log)

        def say(url: str) -> None:
            also = "" if beside is None else f" and gRPC at {beside.address}"
            show.say(f"{url}{also} serves; Ctrl-C stops it")

        server.run(app, settings, log=log, on_ready=say, beside=beside)


def _grpc(app: Front, settings: ServeSettings, log: Any) -> GrpcDoor | None:
    """The door of gRPC; None where no port is set.

    Raises:
        ConfigError: its packages are not installed.
    """
    if settings.grpc_port is None:
        return None
    try:
        from gemel.serve.grpc.door import GrpcDoor
    except ModuleNotFoundError as e:
        raise ConfigError(
            f"gRPC needs {e.name}", where="serve.grpc_port", hint="pip install 'gemel[grpc]'"
        ) from e
    return GrpcDoor(app, settings, log)


def _placed(project: Project) -> ServeSettings:
    """How to serve, with files as seen from here."""
    said, at = project.config.serve, project.config.at
    files = {n: getattr(said, n) for n in ("tls_cert", "tls_key", "tls_clients", "token_keys")}
    named = {n: file for n, file in files.items() if file and "://" not in file}
    return replace(said, **{name: str(at(file)) for name, file in named.items()})


@dataclass(frozen=True)
class _Place:
    """Where a tenant's gallery and ledger are."""

    project: Project
    log: Any

    def gallery(self, release: Release) -> Gallery:
        write = not self.project.config.serve.read_only
        if not write and not self.project.state.gallery_folder(release.space_id).is_dir():
            raise GalleryUnavailable(
                "this tenant has no records yet",
                hint="enroll them with the service that is not read-only",
            )
        return self.project.gallery(release, write=write)

    def ledger(self) -> Ledger:
        return self.project.ledger(
            on_lost=lambda draft: self.log.error("ledger_unwritten", entry=draft)
        )

    def keeper(self, ledger: Ledger) -> Keeper:
        from gemel.serve.keeping import Keeper

        whose, heads = self.project.config.store.tenant, self.project.head_file
        return Keeper(ledger, self.log, head_file=heads, tenant=whose)

    def elsewhere(self, release: Release) -> int:
        return self.project.state.elsewhere(release)


@contextmanager
def application(project: Project, log: Any, *, beside: bool = True) -> Iterator[Front]:
    """The web application of a project while the block runs: service, page, and its pointer.

    Args:
        project: that is served.
        log: a logger.
        beside: with its page, and the further projects that its settings name.
    Raises:
        NotFound: the pointer points at nothing.
        GalleryError: another process writes to the gallery.
    """
    from gemel.console import pages
    from gemel.serve.access.access import GRANTED, Access, Quotas
    from gemel.serve.access.tokens import Tokens
    from gemel.serve.access.usage import Usage
    from gemel.serve.http.app import create_app
    from gemel.serve.keeping import Keeper
    from gemel.serve.rollout.desk import Desk
    from gemel.serve.rollout.follower import Follower
    from gemel.serve.service import Service
    from gemel.serve.tenants import Tenants
    from gemel.telemetry import Metrics

    settings = project.config.serve
    with ExitStack() as opened:
        if project.config.store.tenant:
            what = "a service is that of a project, for all of its tenants"
            raise ConfigError(what, where="store.tenant", hint="leave it out")
        release = project.release()
        write = not settings.read_only
        gallery = opened.enter_context(project.gallery(release, write=write))
        ledger = opened.enter_context(
            project.ledger(on_lost=lambda draft: log.error("ledger_unwritten", entry=draft))
        )
        store = project.store()
        desk = Desk(store, project.state.enrolled)
        tenants = Tenants(lambda name: _Place(project.of_tenant(name), log), settings.tenant_bytes)
        opened.callback(tenants.close)
        keeper = Keeper(ledger, log, head_file=project.head_file, others=tenants.look)
        keeper.start()
        opened.callback(keeper.stop)
        metrics, shared = Metrics(), None
        if settings.cache_url:
            from gemel.serve.cache.shared import Shared

            shared = Shared(settings.cache_url, metrics, log)
            opened.callback(shared.close)
        noted = _noted(release, ledger)
        service = Service(
            release,
            gallery,
            ledger,
            threads=settings.threads,
            metrics=metrics,
            adapt=project.config.adapt,
            shelf=store.list,
            label=project.label_of(release),
            desk=desk,
            cache_bytes=settings.cache_bytes,
            shared=shared,
            tenants=tenants,
            n_noted=len(noted.rows),
        )
        if not gallery.count():
            service.had_records = _lacks_records(project, release, ledger, noted)
        if service.had_records or service.pick().is_lost:
            log.warning("gallery_empty", release=release.id, space=release.space_id)
        follower = Follower(
            service,
            store,
            open_gallery=lambda other: project.gallery(other, write=write),
            desk=desk,
            log=log,
            read_only=settings.read_only,
        )
        follower.start()
        opened.callback(follower.stop)
        tokens = None
        if settings.token_keys:
            tokens = Tokens(_placed(project), GRANTED, log)
            tokens.start()
            opened.callback(tokens.stop)
        file = project.state.usage_file if write else None  # it has one writer too
        usage = Usage(file, log)
        usage.start()
        opened.callback(usage.stop)
        quotas = Quotas(settings.tenant_per_day, settings.tenant_records)
        _check_keys(project)
        access = Access(project.state.keys_file, log, tokens, usage=usage, of_tenants=quotas)
        shown = pages.handlers(service) if beside else None
        others = _projects(project, log) if beside and settings.projects else None
        yield create_app(service, settings, log=log, pages=shown, access=access, projects=others)


def _noted(release: Release, ledger: Ledger) -> Accounted:
    """What the ledger says is in the gallery of a release."""
    from heapq import merge

    from gemel.ledger.changes import DELETE, ENROLL, Accounted

    said = Accounted(release.space_id, ledger.masks)
    both = (ledger.of_kind(kind) for kind in (ENROLL, DELETE))
    said.take(merge(*both, key=lambda entry: entry.seq))
    return said


def _lacks_records(project: Project, release: Release, ledger: Ledger, noted: Accounted) -> bool:
    """Whether an empty gallery should have records: nobody took out all that were enrolled.

    Entries that name records tell by themselves; where some cannot be read, counts have to.
    """
    from gemel.ledger.changes import DELETE, ENROLL, balances

    left = balances(entry for kind in (ENROLL, DELETE) for entry in ledger.of_kind(kind))
    own = [n for space, n in left.items() if space in (release.space_id, "")]
    if own:
        is_partly_known = bool(noted.n_before) or noted.is_masked_otherwise
        return bool(noted.rows) or (is_partly_known and sum(own) > 0)
    return any(n > 0 for n in left.values()) or bool(project.state.elsewhere(release))


def _check_keys(project: Project) -> None:
    """Return if its keys can be read: else nobody could come in, and nothing would say so.

    Raises:
        ConfigError: they cannot.
    """
    from gemel.serve.access.keys import read

    if project.state.keys_file.exists():
        read(project.state.keys_file)


def _projects(project: Project, log: Any) -> Projects:
    """The further projects that the settings name.

    Raises:
        ConfigError: the folder is not there, or the keys of one cannot be read.
    """
    from gemel.serve.access.access import Access
    from gemel.serve.projects import NAME, Projects

    folder = project.config.at(project.config.serve.projects)
    if not folder.is_dir():
        raise ConfigError("there is no such folder", where="serve.projects", hint=f"make {folder}")
    for file in sorted(folder.glob(f"*/{FILE}")):
        if NAME.fullmatch(file.parent.name):
            try:
                its = Project.open(file)
            except ConfigError:
                continue  # which whoever asks for it is told
            _check_keys(its)

    def named(name: str) -> Project:
        file = folder / name / FILE
        if not file.is_file():
            raise UnknownPath(f"no project {name!r}", hint=f"it has no {FILE} in serve.projects")
        return Project.open(file)

    def admit(name: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        its = named(name)
        if not its.config.serve.token_keys:  # the keys of a provider are read once it is open
            Access(its.state.keys_file, log).admit(headers, "reader")

    def open_(name: str) -> AbstractContextManager[Front]:
        return application(named(name), log, beside=False)

    return Projects(open_, project.config.serve.projects_bytes, log, admit)
