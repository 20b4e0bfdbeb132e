-- Deletes a session whatever its keys hold. The results of its last operations stay, as in `delete`.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- KEYS[5]  results of operations
-- ARGV[1]  token
-- ARGV[2]  deadline, in ms of the server's clock
-- ARGV[3]  scope: '*', or a workspace as in the head
--
-- Returns 'ok', workspace, instant and stamp of updatedAt, instant and stamp of createdAt; '' for each that cannot be
--           read
--      or 'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
local head_key, turns_key, ids_key, transitions_key, results_key = unpack(KEYS, 1, 5)
local token, deadline, scope = unpack(ARGV, 1, 3)
local now = now_ms()
local kind = redis.call('TYPE', results_key).ok
local keeps_results = kind == 'hash' or kind == 'none'
if keeps_results then
  local earlier = begin_operation(results_key, token, deadline, now)
  if earlier then return earlier end
elseif now > tonumber(deadline) then
  return { 'late', integer(now) }
end
if keeps_results and redis.call('EXISTS', head_key, turns_key, ids_key, transitions_key) == 0 then
  return { 'missing' }
end

local field = {}
if redis.call('TYPE', head_key).ok == 'hash' then
  field = redis.call('HMGET', head_key, 'v', 'uk', 'us', 'ck', 'cs', 'ws', 'f')
end
-- A newer format is not damage.
if field[1] and field[1] ~= SCHEMA and is_newer(field[1]) then return { 'newer', field[1] } end
local ws = workspace_of(field[6], field[7])
if scope ~= '*' then
  if not ws then return { 'corrupt', 'its workspace cannot be read' } end
  if ws ~= scope then return { 'missing' } end
end
redis.call('UNLINK', head_key, turns_key, ids_key, transitions_key)
if not keeps_results then redis.call('UNLINK', results_key) end
local reply = { 'ok', ws or '' }
for at = 2, 5 do reply[#reply + 1] = field[at] or '' end
return end_operation(results_key, token, reply, rank_of(now, false), now)
