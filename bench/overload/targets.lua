-- wrk: random users, half list queries, half crowdCode queries, as overload.bench.ts offers them.
-- Arguments: the number of users, a crowd.
local users, crowd
local turn = 0
init = function(args)
  users, crowd = tonumber(args[1]), args[2]
  math.randomseed(os.time())
end
request = function()
  turn = turn + 1
  local uid = string.format("u%07d", math.random(0, users - 1))
  local query = turn % 2 == 0 and "" or "&crowdCode=" .. crowd
  return "GET /match?uid=" .. uid .. query .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
end
