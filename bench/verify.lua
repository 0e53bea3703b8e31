-- Bodies of POST /v1/verify for wrk, each different: two rows with random letters and dates.
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
local headers = { ["content-type"] = "application/json" }
local failed = 0

local function word(n)
  local out = {}
  for i = 1, n do
    local at = math.random(#letters)
    out[i] = letters:sub(at, at)
  end
  return table.concat(out)
end

local function row()
  return string.format(
    '{"fname_c1":"%s","fname_c2":null,"lname_c1":"%s","lname_c2":null,"by":%d,"bm":%d,"bd":%d}',
    word(math.random(4, 9)), word(math.random(4, 11)),
    math.random(1930, 2010), math.random(12), math.random(28))
end

function init(_)
  math.randomseed(tonumber(os.getenv("WRK_SEED") or "1"))
end

function request()
  return wrk.format("POST", nil, headers, '{"left":' .. row() .. ',"right":' .. row() .. "}")
end
