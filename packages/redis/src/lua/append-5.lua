-- Appends turns and transitions. Most calls are this one script. It carries out the appends of several callers in
-- order, each with its own outcome. An append that is neither plainly new nor plainly a repetition is left to the
-- client, and nothing of it is written.
--
-- KEYS[1]   head
-- KEYS[2]   turns
-- KEYS[3]   ids
-- KEYS[4]   transitions
-- KEYS[5]   results of operations
-- KEYS[6...]  on one server: the indexes by updatedAt
-- ARGV[1]   token
-- ARGV[2]   deadline, in ms of the server's clock
-- ARGV[3]   ttlMs, or 0
-- ARGV[4]   id of the session
-- ARGV[5]   stamp of its index entries
-- ARGV[6]   number of appends
-- ARGV[7]   number of items in all appends. The items of an append are its turns, then its transitions
-- ARGV[8...]  the id field of each item ('' for a transition without an id), then the text of each item, then six
--           values for each append: scope ('*', or a workspace as in the head), revision that the session must have
--           or '', updatedAt (JSON), its instant, number of turns, number of transitions
--
-- Returns 'ok', workspace, instant and stamp of updatedAt, the two before the call, then one text for each append:
--           'ok' or 'same', revision, turn count, positions of its turns that were there, separated by spaces;
--           or 'decide'; or 'missing'
--      or 'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local head_key, turns_key, ids_key, transitions_key, results_key = unpack(KEYS, 1, 5)
local token, deadline, ttl_ms, session_id, stamp, append_count, item_count = unpack(ARGV, 1, 7)
local now = now_ms()
local earlier = begin_operation(results_key, token, deadline, now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, '*')
if not head then return refusal end

local count = tonumber(item_count)
local fields, texts = 7, 7 + count
local places = get_all(ids_key, ARGV, fields + 1, texts)
local revision, n, m, uk, u = head.r, head.n, head.m, head.uk, nil
local turns, transitions, ids = {}, {}, {}
-- What this call adds, by id field.
local added, is_known_by_ids, has_ids = {}, true, false

-- The stored text with the id of the item. Nil if the item is plainly new, '' if the id leads to no text.
local function stored_text(item, list)
  local field, place = ARGV[fields + item], places[item]
  if field == '' then return nil end
  if added[field] or not place then return added[field] end
  has_ids = true
  local index = last_place(place)
  return index and redis.call('LINDEX', list, index) or ''
end

local function add(item, texts_to, index)
  local field, text = ARGV[fields + item], ARGV[texts + item]
  texts_to[#texts_to + 1] = text
  if field == '' then
    is_known_by_ids = false
  else
    ids[#ids + 1] = field
    ids[#ids + 1] = integer(index)
    added[field] = text
  end
end

-- Carries out the append whose six values begin at `at`. Its items are those from `first` up to `items_end`.
local function append(at, first, turns_end, items_end)
  if ARGV[at] ~= '*' and ARGV[at] ~= head.ws then
    return workspace_of(head.ws, redis.call('HGET', head_key, 'f')) and 'missing' or 'decide'
  end
  if ARGV[at + 1] ~= '' and tonumber(ARGV[at + 1]) ~= revision then return 'decide' end
  local is_stored, repeated, new_count = {}, {}, 0
  for item = first, items_end - 1 do
    local text = stored_text(item, item < turns_end and turns_key or transitions_key)
    if not text then
      new_count = new_count + 1
    elseif text ~= ARGV[texts + item] then
      return 'decide'
    else
      is_stored[item] = true
      if item < turns_end then repeated[#repeated + 1] = integer(item - first) end
    end
  end
  for item = first, items_end - 1 do
    if is_stored[item] then
      -- A repetition.
    elseif item < turns_end then
      add(item, turns, n)
      n = n + 1
    else
      add(item, transitions, m)
      m = m + 1
    end
  end
  if new_count > 0 then
    revision = revision + 1
    if ARGV[at + 3] > uk then uk, u = ARGV[at + 3], ARGV[at + 2] end
  end
  local status = new_count > 0 and 'ok ' or 'same '
  return status .. integer(revision) .. ' ' .. integer(n) .. ' ' .. table.concat(repeated, ',')
end

local reply = { 'ok', head.ws, uk, head.us, uk, head.us }
local at, first = texts + count + 1, 1
for index = 1, tonumber(append_count) do
  local turns_end = first + tonumber(ARGV[at + 4])
  local items_end = turns_end + tonumber(ARGV[at + 5])
  reply[6 + index] = append(at, first, turns_end, items_end)
  at, first = at + 6, items_end
end
if revision == head.r then return reply end

if #transitions > 0 and redis.call('LLEN', transitions_key) ~= head.m then
  return { 'corrupt', 'transitions are missing or too many' }
end
-- Each turn has an id.
if head.n > 0 and not has_ids and redis.call('EXISTS', ids_key) == 0 then
  return { 'corrupt', 'the ids of its turns are missing' }
end
if u then add_entries(KEYS, session_id, uk, stamp) end
-- RPUSH returns the length, which saves an LLEN before it.
if (call_all('RPUSH', turns_key, turns) or head.n) ~= n then
  for _ = 1, #turns do redis.call('RPOP', turns_key) end
  return { 'corrupt', 'turns are missing or too many' }
end
call_all('RPUSH', transitions_key, transitions)
call_all('HSET', ids_key, ids)
local set = { 'r', integer(revision), 'n', integer(n), 'm', integer(m) }
if u then
  set[7], set[8], set[9], set[10], set[11], set[12] = 'u', u, 'uk', uk, 'us', stamp
  remove_entries(KEYS, session_id, head.uk, head.us)
  reply[3], reply[4] = uk, stamp
end
local expiry = expiry_of(ttl_ms, head, now)
if expiry then set[#set + 1], set[#set + 2] = 'e', expiry end
redis.call('HSET', head_key, unpack(set))
expire_all(expiry, KEYS)
return end_operation(results_key, token, reply, rank_of(now, is_known_by_ids), now)
