-- Deletes a session that the client has read completely. The results of its last operations stay for a while: a
-- deletion that is delivered twice must not delete the next session with the same id.
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
-- ARGV[4]  generation that was read
-- ARGV[5]  revision that the session must have; '' for any
--
-- Returns 'ok', workspace, instant and stamp of updatedAt, instant and stamp of createdAt
--      or 'stale' | 'conflict', revision | 'missing', 'elsewhere' for another workspace | 'superseded' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include damage
-- include operation
-- include last-operation
local head_key, turns_key, ids_key, transitions_key, results_key, parts_key, remembered_key = unpack(KEYS, 1, 7)
local token, deadline, scope, generation, revision = unpack(ARGV, 1, 5)
local operation, earlier, refused = begin_operation(results_key, token, deadline)
if earlier or refused then return earlier or refused end
local head, refusal = read_head(KEYS, scope)
if not head then return refusal end
if head.g ~= generation then return { 'stale' } end
if revision ~= '' and revision ~= integer(head.r) then return { 'conflict', integer(head.r) } end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local created = redis.call('HMGET', head_key, 'ck', 'cs')
-- Before any other write: a full server accepts writes only from a script that has freed memory.
redis.call('UNLINK', head_key, turns_key, ids_key, transitions_key, parts_key, remembered_key)
return end_operation(operation, { 'ok', head.ws, head.uk, head.us, created[1] or '', created[2] or '' })
