-- Puts parts into turns and removes them, and appends turns and transitions. Most calls are this one script. It carries
-- out the changes of several callers in order, each with its own outcome. A change that is neither plainly new nor plainly
-- a repetition is left to the client, and nothing of it is written.
--
-- KEYS[1]   head
-- KEYS[2]   turns
-- KEYS[3]   ids
-- KEYS[4]   transitions
-- KEYS[5]   results of operations
-- KEYS[6]   parts
-- KEYS[7]   remembered changes
-- KEYS[8...]  on one server: the indexes by updatedAt
-- ARGV[1]   token
-- ARGV[2]   deadline, in ms of the server's clock
-- ARGV[3]   ttlMs, or 0
-- ARGV[4]   id of the session
-- ARGV[5]   stamp of its index entries
-- ARGV[6]   number of items in all changes. The items of a change are the turn that it updates, the turns that it
--           appends, and its transitions
-- ARGV[7]   '1' if a change reopens a session that has ended, or ''
-- ARGV[8...] the id field of each item ('' for a transition without an id), then for each change:
--           scope ('*', or a workspace as in the head), updatedAt (JSON), its instant, its shape: '' if it appends one
--           turn that is stored whole, and nothing else. Then the text of that turn follows. Otherwise the shape is
--           the number of turns, of transitions and of updates (0 or 1), 1 if it has an idempotency key, and the
--           revision that the session must have if there is one, separated by spaces; then follow
--           the field of that key and what to remember (JSON);
--           for the update: the most bytes of a turn, number of parts to remove and to put; for each to remove its name; for each to put its
--           name, bytes, digest, digest of its call or '-', digest of its call if it has finished or '-', '1' if it may
--           replace any call or '', text;
--           for each turn: text, '' if it is whole, else its token, 'running' or 'done', and the number of values for the
--           hash of parts, separated by spaces, and those values;
--           for each transition: text
--
-- Returns 'ok', workspace, instant and stamp of updatedAt, the two before the call (those of now if the call is a
--           repetition, and '' if the session is gone by then), then one text for each change:
--           'ok' or 'same', revision, turn count, positions of its turns that were there, separated by spaces;
--           or 'known' and the remembered change; or 'decide', as without a text; or 'elsewhere': its workspace is another
--      or 'missing' | 'superseded' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local head_key, turns_key, ids_key, transitions_key, results_key, parts_key, remembered_key = unpack(KEYS, 1, 7)
local token, deadline, ttl_ms, session_id, stamp, item_count, reopens = unpack(ARGV, 1, 7)
local operation, earlier, refused = begin_operation(results_key, token, deadline)
if refused then return refused end
local head, refusal = read_head_as_text(KEYS, '*')
if earlier then
  local ws, uk, us = '', '', ''
  if head then ws, uk, us = head.ws, head.uk, head.us end
  return { 'ok', ws, uk, us, uk, us, unpack(earlier) }
end
if not head then return refusal end

-- JSON as the client writes it. The same text deeper in the metadata only makes the client decide.
if reopens == '1' and string.find(redis.call('HGET', head_key, 'd') or '', '"ended":true', 1, true) then
  return { 'ok', head.ws, head.uk, head.us, head.uk, head.us }
end

-- The id field of an item is in ARGV at its number and this.
local FIELDS = 7
local at, item = FIELDS + tonumber(item_count), 1
local places = get_all(ids_key, ARGV, FIELDS + 1, at)
local revision_before, n_before, m_before, uk_before, us_before = head.r, head.n, head.m, head.uk, head.us
-- What is added: texts, fields of ids and their places by turns, and texts by id field.
local turns, transitions, ids, added = {}, {}, {}, {}
local outcomes, others = {}, nil

local function change_head(instant, updated_at)
  head.r = integer(head.r + 1)
  if instant > head.uk then head.uk, head.us, head.u = instant, stamp, updated_at end
end

while at < #ARGV do
  local scope, field, count = ARGV[at + 1], ARGV[FIELDS + item], 1
  if ARGV[at + 4] == '' and not places[item] and not added[field] and (scope == '*' or scope == head.ws) then
    -- A new turn that is stored whole: most changes are one.
    local text = ARGV[at + 5]
    turns[#turns + 1], added[field] = text, text
    ids[#ids + 1] = field
    ids[#ids + 1] = head.n
    head.n = integer(head.n + 1)
    change_head(ARGV[at + 3], ARGV[at + 2])
    outcomes[#outcomes + 1] = 'ok ' .. head.r .. ' ' .. head.n .. ' '
    at = at + 5
  else
    if not others then
      -- Only here, since a function costs time when it is defined.
      -- include other-changes
    end
    outcomes[#outcomes + 1], count = others.change(item)
    if others.damaged then return others.damaged end
  end
  item = item + count
end
if head.r == revision_before and (not others or #others.remembered == 0) then
  return { 'ok', head.ws, head.uk, head.us, uk_before, us_before, unpack(outcomes) }
end

if #transitions > 0 and redis.call('LLEN', transitions_key) ~= tonumber(m_before) then
  return { 'corrupt', 'transitions are missing or too many' }
end
-- Each turn has an id.
if #turns > 0 and n_before ~= '0' and not (others and others.has_ids) and redis.call('EXISTS', ids_key) == 0 then
  return { 'corrupt', 'the ids of its turns are missing' }
end
-- A key of another type must be found before anything is written.
if others and others.adds_parts() then redis.call('HLEN', parts_key) end
local moves = head.uk ~= uk_before
if moves then add_entries(KEYS, session_id, head.uk, head.us) end
-- RPUSH returns the length, which saves an LLEN before it.
if #turns > 0 and call_all('RPUSH', turns_key, turns) ~= tonumber(head.n) then
  for _ = 1, #turns do redis.call('RPOP', turns_key) end
  return { 'corrupt', 'turns are missing or too many' }
end
call_all('RPUSH', transitions_key, transitions)
call_all('HSET', ids_key, ids)
if others then others.write() end
if moves then remove_entries(KEYS, session_id, uk_before, us_before) end
head.e = expiry_of(ttl_ms, head, operation.now)
count_result(operation, outcomes, head)
redis.call('HSET', head_key, 'c', state_of(head))
expire_all(head.e, KEYS)
return { 'ok', head.ws, head.uk, head.us, uk_before, us_before, unpack(outcomes) }
