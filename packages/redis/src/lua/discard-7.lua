-- Deletes a session whatever its keys hold. The results of its last operations stay, as in `delete`.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- KEYS[5]  results of operations
-- KEYS[6]  parts
-- KEYS[7]  remembered changes
-- ARGV[1]  token
-- ARGV[2]  deadline, in ms of the server's clock
-- ARGV[3]  scope: '*', or a workspace as in the head
--
-- Returns 'ok', workspace, instant and stamp of updatedAt, instant and stamp of createdAt; '' for each that cannot be
--           read
--      or 'missing' | 'superseded' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include refusal
-- include operation
-- include last-operation
local head_key, turns_key, ids_key, transitions_key, results_key, parts_key, remembered_key = unpack(KEYS, 1, 7)
local token, deadline, scope = unpack(ARGV, 1, 3)
local kind = redis.call('TYPE', results_key).ok
local keeps_results = kind == 'hash' or kind == 'none'
local operation, earlier, refused
if keeps_results then
  operation, earlier, refused = begin_operation(results_key, token, deadline)
  if earlier or refused then return earlier or refused end
else
  operation = operation_of(results_key, token)
  if operation.now > tonumber(deadline) then return { 'late', integer(operation.now) } end
end
local all = { head_key, turns_key, ids_key, transitions_key, parts_key, remembered_key }
if keeps_results and redis.call('EXISTS', unpack(all)) == 0 then return { 'missing' } end

local field = {}
if redis.call('TYPE', head_key).ok == 'hash' then field = redis.call('HMGET', head_key, 'c', 'f', 'ck', 'cs') end
local version = newer_version_of(field[1] or '')
-- A newer format is not damage.
if version then return { 'newer', version } end
local head, named = parse_state(field[1] or '')
local ws = workspace_of(head and head.ws or named, field[2])
if scope ~= '*' then
  if not ws then return { 'corrupt', 'its workspace cannot be read' } end
  if ws ~= scope then return { 'missing' } end
end
redis.call('UNLINK', unpack(all))
if not keeps_results then redis.call('UNLINK', results_key) end
return end_operation(operation, {
  'ok', ws or '', head and head.uk or '', head and head.us or '', field[3] or '', field[4] or '',
})
