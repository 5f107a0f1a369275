-- wrk: batches of 1,000 random users. Environment: USERS, UIDS (short or hex), SEED.
local users = tonumber(os.getenv("USERS"))
local isHex = os.getenv("UIDS") == "hex"
math.randomseed(tonumber(os.getenv("SEED")))
-- Made beforehand: at this pace wrk would else be the slower one.
local requests = {}
for n = 1, 100 do
  local uids = {}
  for k = 1, 1000 do
    local i = math.random(0, users - 1)
    uids[k] = isHex and string.rep(string.format("%08x", i), 8) or string.format("u%07d", i)
  end
  local body = '{"uids":["' .. table.concat(uids, '","') .. '"]}'
  requests[n] = "POST /match/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    .. #body .. "\r\n\r\n" .. body
end
local turn = 0
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
