-- wrk: what bench/k6/users.js asks, by the same rules. Environment: KIND, USERS, HOT, MISSES, UID_PREFIX, UID_DIGITS, CROWD, SEED.
local kind = os.getenv("KIND")
local users, hot = tonumber(os.getenv("USERS")), tonumber(os.getenv("HOT"))
local misses = ({ hit = 0, mixed = tonumber(os.getenv("MISSES")), miss = 1 })[kind]
local uid = os.getenv("UID_PREFIX") .. "%0" .. os.getenv("UID_DIGITS") .. "d"
local tail = "&crowdCode=" .. os.getenv("CROWD")
math.randomseed(tonumber(os.getenv("SEED")))
request = function()
  local i
  if math.random() < misses then
    i = math.random(hot, users)
  else
    i = math.floor(hot ^ math.random())
  end
  return "GET /match?uid=" .. string.format(uid, i) .. (math.random() < 0.5 and "" or tail) .. " HTTP/1.1\r\nHost: localhost\r\n\r\n"
end
