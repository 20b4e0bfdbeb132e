-- Deletes a session whatever state its keys are in. The results of its last operations stay, as with `delete`.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 scope: '*' or a workspace as in the head
-- reply 'ok', workspace, instant and stamp of updatedAt, instant and stamp of createdAt; each '' where it cannot be read
--       'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
local now = now_ms()
local kind = redis.call('TYPE', KEYS[5]).ok
local keeps_results = kind == 'hash' or kind == 'none'
if keeps_results then
  local earlier = begin_operation(KEYS[5], ARGV[1], ARGV[2], now)
  if earlier then return earlier end
elseif now > tonumber(ARGV[2]) then
  return { 'late', integer(now) }
end
if keeps_results and redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4]) == 0 then return { 'missing' } end

local field = {}
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  field = redis.call('HMGET', KEYS[1], 'v', 'uk', 'us', 'ck', 'cs', 'ws', 'f')
end
-- That is no damage.
if field[1] and field[1] ~= SCHEMA and is_newer(field[1]) then return { 'newer', field[1] } end
local ws = workspace_of(field[6], field[7])
if ARGV[3] ~= '*' then
  if not ws then return { 'corrupt', 'its workspace cannot be read' } end
  if ws ~= ARGV[3] then return { 'missing' } end
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if not keeps_results then redis.call('UNLINK', KEYS[5]) end
local reply = { 'ok', ws or '' }
for at = 2, 5 do reply[#reply + 1] = field[at] or '' end
return end_operation(KEYS[5], ARGV[1], reply, rank_of(now, false), results_expiry(nil, now), now)
