-- Writes a plan that a client made, if what the plan was based on is unchanged.
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
-- ARGV[4]   generation that was read
-- ARGV[5]   revision that was read, if the plan depends on it, or ''
-- ARGV[6]   revision of the last change of the frame or the metadata, if the plan depends on it, or ''
-- ARGV[7]   updatedAt (JSON)
-- ARGV[8]   its instant
-- ARGV[9]   stamp of its index entries
-- ARGV[10]  id of the session
-- ARGV[11]  metadata (JSON), or ''
-- ARGV[12]  frame (JSON), or ''
-- ARGV[13]  number of turns to keep, or ''
-- ARGV[14]  new generation
-- ARGV[15]  '1' if the session changes, or '': then nothing is written but what is remembered
-- ARGV[16]  field of the idempotency key, or ''
-- ARGV[17]  what to remember (JSON), or ''
-- ARGV[18]  the most bytes of a turn
-- ARGV[19...] lists, each after its number of values:
--           ids that were looked up: field, places or ''
--           fields of the hash of parts that were looked up: field, value or ''
--           ids of dropped turns and transitions that no turn or transition has any more: field; or '*' for all ids
--           ids of turns that stay elsewhere, or after '*' all ids of turns that stay: field, places
--           turns to set: index, id field, places before the last one, token if it is open or '', text
--           values for the hash of parts: field, value
--           open turns: token, bytes that it grows by
--           parts to remove: token, list, place, name, its other entries or ''
--           parts to replace: token, list, place, name, its entries, text
--           parts to add: token, list, name, the entry without its place, text
--           turns to append: field, token if it is open or '', text
--           transitions to append: field or '', text
--           transitions to keep, if turns are dropped: field or '', text
--
-- Returns 'ok', revision, turn count, workspace, instant and stamp of updatedAt, the two before the call
--      or 'stale' | 'superseded' | 'late', server's ms | 'missing' | 'newer', version | 'corrupt', reason
-- include session
-- include damage
-- include operation
-- include entries
-- include remembered
-- include parts
local head_key, turns_key, ids_key, transitions_key, results_key, parts_key, remembered_key = unpack(KEYS, 1, 7)
local token, deadline, ttl_ms, generation, read_revision, read_wide_revision = unpack(ARGV, 1, 6)
local updated_at, updated_instant, stamp, session_id, metadata, frame = unpack(ARGV, 7, 12)
local keep_turns, new_generation, alters, key_field, remembering, most_bytes = unpack(ARGV, 13, 18)
local operation, earlier, refused = begin_operation(results_key, token, deadline)
if earlier or refused then return earlier or refused end
local head, refusal = read_head(KEYS, '*')
if not head then return refusal end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local is_changed = (read_revision ~= '' and tonumber(read_revision) ~= head.r)
  or (read_wide_revision ~= '' and tonumber(read_wide_revision) ~= head.w)
if head.g ~= generation or is_changed then return { 'stale' } end

local at = 19
local function next_range()
  local first = at + 1
  at = first + tonumber(ARGV[at])
  return first, at - 1
end
local function next_rows(width)
  local rows = {}
  local first, last = next_range()
  for from = first, last, width do rows[#rows + 1] = { unpack(ARGV, from, from + width - 1) } end
  return rows
end
local function put(values, field, value)
  values[#values + 1] = field
  values[#values + 1] = value
end

-- Whether each field of a hash is as it was.
local function is_as_read(key, rows)
  local fields = {}
  for index, row in ipairs(rows) do fields[index] = row[1] end
  for index, value in ipairs(get_all(key, fields, 1, #fields)) do
    if (value or '') ~= rows[index][2] then return false end
  end
  return true
end
if not is_as_read(ids_key, next_rows(2)) or not is_as_read(parts_key, next_rows(2)) then return { 'stale' } end
local known, remembered_count, unreadable
if key_field ~= '' then
  known, remembered_count, unreadable = find_remembered(remembered_key, key_field)
  if unreadable then return unreadable end
  if known then return { 'stale' } end
end

local first_dropped, last_dropped = next_range()
local moved_ids, set_turns = next_rows(2), next_rows(5)
local first_value, last_value = next_range()
local grown, removed, replaced, parts_added = next_rows(2), next_rows(5), next_rows(6), next_rows(5)
local appended, new_transitions, kept_transitions = next_rows(3), next_rows(2), next_rows(2)
local revision = alters == '' and head.r or head.r + 1
local part_values, lost_parts, emptied, log, opened = {}, {}, {}, {}, {}
for index = first_value, last_value do part_values[#part_values + 1] = ARGV[index] end

local tokens = {}
for index, row in ipairs(grown) do tokens[index] = row[1] end
for index, text in ipairs(get_all(parts_key, tokens, 1, #tokens)) do
  local open = read_open(text)
  if not open then return PARTS_MISSING end
  open.bytes = open.bytes + tonumber(grown[index][2])
  -- The turn has grown since the plan was made.
  if open.bytes > tonumber(most_bytes) then return { 'stale' } end
  opened[tokens[index]] = open
end
for _, row in ipairs(removed) do
  local turn_token, list, place, name, others = unpack(row)
  local parts, part = opened[turn_token][list], turn_token .. '.' .. list .. place
  parts.count = parts.count - 1
  log[#log + 1], lost_parts[#lost_parts + 1] = part, part
  emptied[#emptied + 1] = turn_token .. '.' .. list .. '#' .. integer(math.floor(tonumber(place) / BLOCK))
  local entry = turn_token .. '.' .. name
  if others == '' then lost_parts[#lost_parts + 1] = entry else put(part_values, entry, others) end
end
for _, row in ipairs(replaced) do
  local turn_token, list, place, name, entry, text = unpack(row)
  local part = turn_token .. '.' .. list .. place
  log[#log + 1] = part
  put(part_values, part, text)
  put(part_values, turn_token .. '.' .. name, entry)
end
for _, row in ipairs(parts_added) do
  local turn_token, list, name, entry, text = unpack(row)
  local parts = opened[turn_token][list]
  local place = integer(parts.next)
  parts.count, parts.next = parts.count + 1, parts.next + 1
  log[#log + 1] = turn_token .. '.' .. list .. place
  put(part_values, turn_token .. '.' .. list .. place, text)
  put(part_values, turn_token .. '.' .. name, place .. ' ' .. entry)
end
for turn_token, open in pairs(opened) do
  log[#log + 1] = turn_token
  put(part_values, turn_token, open_text(open, revision))
end

local moves = alters ~= '' and updated_instant > head.uk
local uk_before, us_before = head.uk, head.us
-- A key of another type must be found before anything is written.
redis.call('HLEN', parts_key)
if moves then add_entries(KEYS, session_id, updated_instant, stamp) end
local count, transition_count = head.n, head.m
local set_ids, transitions = {}, {}
local function add_transitions(rows)
  for _, row in ipairs(rows) do
    transitions[#transitions + 1] = row[2]
    if row[1] ~= '' then put(set_ids, row[1], integer(transition_count)) end
    transition_count = transition_count + 1
  end
end
if keep_turns ~= '' then
  count = tonumber(keep_turns)
  transition_count = 0
  if count == 0 then
    redis.call('UNLINK', turns_key)
  else
    redis.call('LTRIM', turns_key, 0, count - 1)
  end
  redis.call('UNLINK', transitions_key)
  if ARGV[first_dropped] == '*' then
    redis.call('UNLINK', ids_key)
    last_dropped = first_dropped - 1
  end
  for from = first_dropped, last_dropped, CHUNK do
    redis.call('HDEL', ids_key, unpack(ARGV, from, math.min(from + CHUNK - 1, last_dropped)))
  end
  for _, row in ipairs(moved_ids) do put(set_ids, row[1], row[2]) end
  -- The transitions that stay get new places, so they are written again.
  add_transitions(kept_transitions)
end
for _, row in ipairs(set_turns) do
  local index, field, places_before, turn_token, text = unpack(row)
  redis.call('LSET', turns_key, index, text)
  local place = turn_token == '' and index or index .. '@' .. turn_token
  put(set_ids, field, places_before .. place .. ':' .. integer(revision))
  log[#log + 1] = '=' .. index
end
-- An open turn may be new to a reader, who then needs all of it.
if #set_turns > 0 then
  for index = first_value, last_value, 2 do log[#log + 1] = ARGV[index] end
end
local turns = {}
for _, row in ipairs(appended) do
  local field, turn_token, text = unpack(row)
  put(set_ids, field, turn_token == '' and integer(count) or integer(count) .. '@' .. turn_token)
  turns[#turns + 1], count = text, count + 1
end
add_transitions(new_transitions)
call_all('RPUSH', turns_key, turns)
call_all('RPUSH', transitions_key, transitions)
call_all('HSET', ids_key, set_ids)
if #log > 0 then put(part_values, log_entry(head, log)) end
call_all('HDEL', parts_key, lost_parts)
call_all('HSET', parts_key, part_values)
for _, field in ipairs(emptied) do redis.call('HINCRBY', parts_key, field, 1) end
if key_field ~= '' then
  remember(remembered_key, key_field, remembering_of(remembering, revision, count), remembered_count)
end

head.r, head.n, head.m, head.g = revision, count, transition_count, new_generation
if moves then
  head.uk, head.us, head.u = updated_instant, stamp, updated_at
  remove_entries(KEYS, session_id, uk_before, us_before)
end
local set = {}
if metadata ~= '' then put(set, 'd', metadata) end
if frame ~= '' then put(set, 'f', frame) end
if metadata ~= '' or frame ~= '' then head.w = revision end
if alters ~= '' then head.e = expiry_of(ttl_ms, head, operation.now) end
local reply = { 'ok', integer(revision), integer(count), head.ws, head.uk, head.us, uk_before, us_before }
count_result(operation, reply, head)
put(set, 'c', state_of(head))
redis.call('HSET', head_key, unpack(set))
expire_all(head.e, KEYS)
return reply
