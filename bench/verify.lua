-- Bodies of POST /v1/verify for wrk: the lines of a file, in order, from a place that differs.
local headers = { ["content-type"] = "application/json" }
local bodies = {}
local at = 0

function init(_)
  for line in io.lines(os.getenv("WRK_BODIES")) do
    bodies[#bodies + 1] = wrk.format("POST", nil, headers, line)
  end
  at = (tonumber(os.getenv("WRK_SEED") or "0") * 7919) % #bodies
end

function request()
  at = at % #bodies + 1
  return bodies[at]
end
