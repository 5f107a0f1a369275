-- wrk: random users, half list queries, half crowdCode queries. Environment: USERS, SEED.
local users = tonumber(os.getenv("USERS"))
local turn = 0
math.randomseed(tonumber(os.getenv("SEED")))
request = function()
  turn = turn + 1
  local uid = string.format("u%07d", math.random(0, users - 1))
  if turn % 2 == 0 then
    return "GET /match?uid=" .. uid .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
  end
  return "GET /match?uid=" .. uid .. "&crowdCode=lapsed_premium HTTP/1.1\r\nHost: localhost\r\n\r\n"
end
