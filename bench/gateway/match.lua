-- wrk: random users, half list queries, half crowdCode queries. Environment: USERS, UIDS (short or hex), SEED.
local users = tonumber(os.getenv("USERS"))
local isHex = os.getenv("UIDS") == "hex"
local turn = 0
math.randomseed(tonumber(os.getenv("SEED")))
request = function()
  turn = turn + 1
  local i = math.random(0, users - 1)
  local uid = isHex and string.rep(string.format("%08x", i), 8) or string.format("u%07d", i)
  if turn % 2 == 0 then
    return "GET /match?uid=" .. uid .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
  end
  return "GET /match?uid=" .. uid .. "&crowdCode=lapsed_premium HTTP/1.1\r\nHost: localhost\r\n\r\n"
end
