-- As match.lua, but each connection waits before its next request: exponentially distributed, GAP_MS in the mean, so that
-- many connections together come at random times. wrk counts the latency from after the wait.
local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
dofile(here .. "/match.lua")
local gap = tonumber(os.getenv("GAP_MS"))
delay = function()
  return math.floor(0.5 - math.log(1 - math.random()) * gap)
end
