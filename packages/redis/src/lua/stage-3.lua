-- Brings a part of a long session to where `save` finds it. A part that comes twice is added once.
--
-- KEYS  1 turns, 2 ids, 3 transitions
-- ARGV  1 token, which the keys are named by, 2 deadline (ms of the server's clock),
--       3 ms that the parts stay if nobody comes for them, 4 turns and 5 transitions that are there before,
--       6 turns, 7 transitions and 8 ids that come, then the turns, the transitions, and for each id its
--       field and places
-- reply 'ok' | 'unstaged', what was there before is gone | 'late', server's ms
-- include session
-- include arguments
local now = now_ms()
if now > tonumber(ARGV[2]) then return { 'late', integer(now) } end
local next_values = values_from(9)
local turns, transitions = next_values(tonumber(ARGV[6])), next_values(tonumber(ARGV[7]))
local ids = next_values(2 * tonumber(ARGV[8]))
local function add(key, before, values)
  local length = redis.call('LLEN', key)
  if length == before then call_all('RPUSH', key, values) end
  return length == before or length == before + #values
end
if not add(KEYS[1], tonumber(ARGV[4]), turns) then return { 'unstaged' } end
if not add(KEYS[3], tonumber(ARGV[5]), transitions) then return { 'unstaged' } end
call_all('HSET', KEYS[2], ids)
for index = 1, 3 do redis.call('PEXPIREAT', KEYS[index], integer(now + tonumber(ARGV[3]))) end
return { 'ok' }
