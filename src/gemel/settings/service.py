"""Settings of what is kept and served: store, ledger, gallery, service, answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gemel.settings.shapes import AtLeastOne, Count, Port, Ratio, Settings

Method = Literal["components", "average", "complete", "hdbscan"]
"""How matches become clusters."""


class StoreSettings(Settings, frozen=True):
    """Where state is kept."""

    path: Annotated[
        str, Meta(description="Folder of runs, releases, pointers, galleries and the ledger")
    ] = ".gemel"
    tenant: Annotated[
        str,
        Meta(
            description="Whose gallery and ledger commands work with, of those that gemel serve "
            "keeps apart; none: those of the project itself",
            pattern="^([a-z0-9][a-z0-9_-]{0,63})?$",
        ),
    ] = ""


class LedgerSettings(Settings, frozen=True):
    """The record of decisions and changes."""

    head_file: Annotated[
        str,
        Meta(
            description="File, out of reach of who can write to store.path, that the last entry is "
            "kept in at each promotion and every hour; gemel ledger verify --head FILE reads it"
        ),
    ] = ""


class GallerySettings(Settings, frozen=True):
    """The enrolled records that are searched."""

    engine: Annotated[
        str,
        Meta(description="flat, sketch or hnsw; auto: a graph, above so many records that it pays"),
    ] = "auto"
    batch: Annotated[AtLeastOne, Meta(description="Records per transaction of an enroll")] = 512


class ServeSettings(Settings, frozen=True):
    """The HTTP service."""

    host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="0: any free port")] = 8080
    grpc_port: Annotated[
        Port | None,
        Meta(description="Port of gRPC; 0: any free port, null: none. Needs gemel[grpc]"),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Names that the service is asked under, besides addresses, localhost and "
            "the name of the machine; * for any"
        ),
    ] = ()
    tls_cert: Annotated[
        str, Meta(description="PEM file of a certificate and its chain: the service speaks HTTPS")
    ] = ""
    tls_key: Annotated[
        str, Meta(description="PEM file of its private key; none: it stands in serve.tls_cert")
    ] = ""
    tls_clients: Annotated[
        str,
        Meta(description="PEM file of authorities: clients have to show a certificate of one"),
    ] = ""
    token_keys: Annotated[
        str,
        Meta(
            description="Public keys (JWKS) of who issues bearer tokens, a file or https address; "
            "none: no tokens. Needs gemel[jwt]"
        ),
    ] = ""
    token_issuer: Annotated[str, Meta(description="The claim iss that tokens must have")] = ""
    token_audience: Annotated[str, Meta(description="The claim aud that tokens must have")] = ""
    token_roles: Annotated[
        str, Meta(description="Claim with roles of the service, such as realm_access.roles")
    ] = "roles"
    token_tenant: Annotated[
        str, Meta(description="Claim with the tenant that a token is for; none: of the service")
    ] = ""
    token_per_second: Annotated[
        Count, Meta(description="Requests a second of each sub, with whatever tokens; 0: any")
    ] = 0
    token_per_day: Annotated[
        Count, Meta(description="Requests of each sub from midnight to midnight, UTC; 0: any")
    ] = 0
    token_records: Annotated[
        Count, Meta(description="Records that a gallery may hold after a change of a sub; 0: any")
    ] = 0
    tenant_per_day: Annotated[
        Count, Meta(description="Requests of each tenant from midnight to midnight, UTC; 0: any")
    ] = 0
    tenant_records: Annotated[
        Count, Meta(description="Records that each tenant may keep; 0: any")
    ] = 0
    tenant_bytes: Annotated[
        Count,
        Meta(description="Memory above which places of tenants that nobody uses are closed"),
    ] = 1_000_000_000
    projects: Annotated[
        str,
        Meta(
            description="Folder of further projects, each a folder with gemel.toml and answered "
            "below /projects/NAME/; none: only this one"
        ),
    ] = ""
    projects_bytes: Annotated[
        Count, Meta(description="Memory above which further projects that nobody uses are closed")
    ] = 1_000_000_000
    read_only: Annotated[
        bool,
        Meta(
            description="Answer beside another service on the same folder, which alone changes "
            "records; its changes are seen within a second"
        ),
    ] = False
    pointer: Annotated[
        Literal["stable"], Meta(description="The pointer whose release is served")
    ] = "stable"
    max_batch: Annotated[AtLeastOne, Meta(description="Payloads per call of the encoder")] = 32
    max_queue: Annotated[
        AtLeastOne, Meta(description="Waiting payloads above which new ones get 503")
    ] = 256
    timeout_ms: Annotated[
        AtLeastOne, Meta(description="Age at which a waiting request gets 504")
    ] = 5000
    max_body_bytes: Annotated[
        Annotated[int, Meta(ge=1024)], Meta(description="Largest request body")
    ] = 10_000_000
    threads: Annotated[AtLeastOne, Meta(description="Threads of the encoder inside one call")] = 1
    traces_to: Annotated[
        str, Meta(description="OTLP receiver, such as http://127.0.0.1:4318. Needs gemel[otel]")
    ] = ""
    trace_ratio: Annotated[
        Ratio, Meta(description="Of requests whose caller does not say; failed and slow ones are")
    ] = 0.01
    cache_bytes: Annotated[
        Count, Meta(description="Of embeddings that are kept for payloads that come again; 0: none")
    ] = 64_000_000
    cache_url: Annotated[
        str,
        Meta(
            description="Redis or Valkey that processes share embeddings in, such as "
            "redis://127.0.0.1:6379/0; none: each has its own. Needs gemel[redis]"
        ),
    ] = ""


class AdaptSettings(Settings, frozen=True):
    """Which decisions people are asked about, and when their answers may move a threshold."""

    audit_ratio: Annotated[
        Ratio, Meta(description="Share of decisions outside the review band that are asked about")
    ] = 0.02
    second_ratio: Annotated[
        Ratio, Meta(description="Share of answered decisions that a second person is asked about")
    ] = 0.1
    wrong_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=0.2)],
        Meta(description="Share of wrong answers until second ones tell; 0 trusts every answer"),
    ] = 0.03
    enough: Annotated[
        Annotated[float, Meta(ge=1)],
        Meta(description="Effective answers of each class from which older ones are left out"),
    ] = 100.0
    min_age_days: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(description="Age from which a decision counts, so that its answer had time to come"),
    ] = 0.0
    min_effective: Annotated[
        Annotated[float, Meta(ge=1)], Meta(description="Effective answers needed of each class")
    ] = 30.0
    min_audited: Annotated[
        Count, Meta(description="Answers needed from each side of the review band")
    ] = 30
    max_changed: Annotated[
        Ratio, Meta(description="Share of decisions that one move of the threshold may change")
    ] = 0.05
