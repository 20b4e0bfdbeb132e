-- Creates or replaces a whole session, from the arguments or from what was staged before.
--
-- KEYS[1]   head
-- KEYS[2]   turns
-- KEYS[3]   ids
-- KEYS[4]   transitions
-- KEYS[5]   results of operations
-- KEYS[6]   parts
-- KEYS[7]   remembered changes
-- KEYS[8]   staged turns; the staged keys are passed only if the session was staged
-- KEYS[9]   staged ids
-- KEYS[10]  staged transitions
-- KEYS[11]  staged parts
-- ARGV[1]   token
-- ARGV[2]   deadline, in ms of the server's clock
-- ARGV[3]   ttlMs, or 0
-- ARGV[4]   workspace as in the head
-- ARGV[5]   revision that the session must have (0: it must not exist), or ''
-- ARGV[6]   new generation
-- ARGV[7]   frame (JSON)
-- ARGV[8]   metadata (JSON)
-- ARGV[9]   updatedAt (JSON)
-- ARGV[10]  its instant
-- ARGV[11]  its stamp
-- ARGV[12]  instant of createdAt
-- ARGV[13]  its stamp
-- ARGV[14]  number of turns
-- ARGV[15]  number of transitions
-- ARGV[16]  generation of the session that the client has read completely, or '' if there was none
-- ARGV[17]  field of an idempotency key, or ''
-- ARGV[18]  what to remember (JSON), or ''
-- ARGV[19]  number of fields of the hash of parts
-- ARGV[20]  if nothing was staged: number of ids
-- ARGV[21...] if nothing was staged: the turns, the transitions, for each id its field and places, and the fields and
--           values for the hash of parts
--
-- Returns 'ok', revision, turn count, workspace, instant and stamp of updatedAt, the two before the call, instant and
--           stamp of createdAt before the call; those before the call are '' if there was no session
--      or 'exists' | 'conflict', revision | 'stale' | 'unstaged' | 'superseded' | 'late', server's ms | 'newer', version
--      or 'corrupt', reason
-- include session
-- include workspace
-- include damage
-- include operation
-- include last-operation
-- include arguments
-- include remembered
local head_key, turns_key, ids_key, transitions_key, results_key, parts_key, remembered_key = unpack(KEYS, 1, 7)
local staged_turns_key, _, staged_transitions_key, staged_parts_key = unpack(KEYS, 8, 11)
local token, deadline, ttl_ms, workspace, if_revision, new_generation, frame, metadata = unpack(ARGV, 1, 8)
local updated_at, updated_instant, updated_stamp, created_instant, created_stamp = unpack(ARGV, 9, 13)
local turn_count, transition_count, read_generation, key_field, remembering, part_count, id_count = unpack(ARGV, 14, 20)
local operation, earlier, refused = begin_operation(results_key, token, deadline)
if earlier or refused then return earlier or refused end
local head, refusal = read_head(KEYS, '*')
if not head and refusal[1] ~= 'missing' then return refusal end
if head and head.ws ~= workspace then
  if not workspace_of(head.ws, redis.call('HGET', head_key, 'f')) then
    return { 'corrupt', 'its head names two workspaces' }
  end
  return { 'exists' }
end
local revision = head and head.r or 0
if if_revision ~= '' and tonumber(if_revision) ~= revision then return { 'conflict', integer(revision) } end
if head then
  -- In the generation that the client has read completely, everything since was written by scripts, and can be read.
  if head.g ~= read_generation then return { 'stale' } end
  local damaged = damage(head, turns_key, transitions_key)
  if damaged then return damaged end
end
for index, kind in ipairs({ 'hash', 'list', 'hash', 'list', 'hash', 'hash', 'hash' }) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= 'none' and found ~= kind then return { 'corrupt', 'one of its keys is a ' .. found } end
end

local turns, transitions = tonumber(turn_count), tonumber(transition_count)
local is_staged = staged_turns_key ~= nil
if is_staged then
  local is_complete = redis.call('LLEN', staged_turns_key) == turns
    and redis.call('LLEN', staged_transitions_key) == transitions
    and redis.call('HLEN', staged_parts_key) == tonumber(part_count)
  if not is_complete then return { 'unstaged' } end
end
-- If an instant does not change, its entry stays: a listing in progress would miss a session whose entry is replaced.
local created = head and redis.call('HMGET', head_key, 'ck', 'cs') or {}
local us = head and head.uk == updated_instant and head.us or updated_stamp
local cs = head and created[1] == created_instant and created[2] or created_stamp
local state = {
  g = new_generation, r = revision + 1, w = revision + 1, n = turns, m = transitions, l = 0,
  e = expiry_of(ttl_ms, head, operation.now), oe = operation.now + KEEP_RESULTS_MS, on = 0,
  uk = updated_instant, us = us, u = updated_at, ws = workspace,
}
-- Before any key is removed: a full server refuses this write.
redis.call('HSET', head_key, 'c', state_of(state), 'f', frame, 'd', metadata, 'ck', created_instant, 'cs', cs)
redis.call('UNLINK', turns_key, ids_key, transitions_key, parts_key)
if is_staged then
  for from, to in pairs({ [8] = 2, [9] = 3, [10] = 4, [11] = 6 }) do
    if redis.call('EXISTS', KEYS[from]) == 1 then
      redis.call('RENAME', KEYS[from], KEYS[to])
      redis.call('PERSIST', KEYS[to])
    end
  end
else
  local next_values = values_from(21)
  call_all('RPUSH', turns_key, next_values(turns))
  call_all('RPUSH', transitions_key, next_values(transitions))
  call_all('HSET', ids_key, next_values(2 * tonumber(id_count)))
  call_all('HSET', parts_key, next_values(2 * tonumber(part_count)))
end
if key_field ~= '' then
  remember(remembered_key, key_field, remembering_of(remembering, revision + 1, turns), 0)
end
expire_all(state.e, KEYS)
return end_operation(operation, {
  'ok', integer(revision + 1), integer(turns), workspace, updated_instant, us,
  head and head.uk or '', head and head.us or '', created[1] or '', created[2] or '',
})
