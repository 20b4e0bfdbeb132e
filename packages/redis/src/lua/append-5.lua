-- Appends turns and transitions: the one script of most calls. Carries out the appends of several callers that wait
-- at the same moment, one after the other, each with an outcome of its own. What is not plainly new or plainly a
-- repetition is left to the client to decide, with nothing of it written.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations; on one server also its indexes by updatedAt
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 ttlMs or 0, 4 id of the session, 5 stamp of its index
--       entries, 6 number of appends, 7 number of all that they bring, of which for each append first the turns and
--       then the transitions; the id field of each ('' for a transition without id), then the text of each, then for
--       each append: scope ('*' or a workspace as in the head), revision that the session must be at or '',
--       updatedAt (JSON), its instant, number of turns, number of transitions
-- reply 'ok', workspace, instant and stamp of updatedAt, the two as they were before, then for each append one text,
--         parted by blanks: 'ok' | 'same', revision, turns, places in it of turns that were there; 'decide' | 'missing'
--       'missing' | 'held' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local now = now_ms()
local earlier = begin_operation(KEYS[5], ARGV[1], ARGV[2], now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, '*')
if not head then return refusal end
if is_held(head, '', now) then return { 'held' } end

local count = tonumber(ARGV[7])
local fields, texts = 7, 7 + count
local places = get_all(KEYS[3], ARGV, fields + 1, texts)
local revision, n, m, uk, u = head.r, head.n, head.m, head.uk, nil
local turns, transitions, ids = {}, {}, {}
-- What this call adds, by id field.
local added, is_known_by_ids, has_ids = {}, true, false

-- The text that is there under the id of the item; nil where it is plainly new, '' where its place leads nowhere.
local function text_there(item, list)
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

-- Carries out the append whose description begins at `at`, and which brings the items from `first` on.
local function carry_out(at, first, behind_turns, behind)
  if ARGV[at] ~= '*' and ARGV[at] ~= head.ws then
    return workspace_of(head.ws, redis.call('HGET', KEYS[1], 'f')) and 'missing' or 'decide'
  end
  if ARGV[at + 1] ~= '' and tonumber(ARGV[at + 1]) ~= revision then return 'decide' end
  local is_there, repeated, news = {}, {}, 0
  for item = first, behind - 1 do
    local text = text_there(item, item < behind_turns and KEYS[2] or KEYS[4])
    if not text then
      news = news + 1
    elseif text ~= ARGV[texts + item] then
      return 'decide'
    else
      is_there[item] = true
      if item < behind_turns then repeated[#repeated + 1] = integer(item - first) end
    end
  end
  for item = first, behind - 1 do
    if is_there[item] then
      -- Nothing is done again.
    elseif item < behind_turns then
      add(item, turns, n)
      n = n + 1
    else
      add(item, transitions, m)
      m = m + 1
    end
  end
  if news > 0 then
    revision = revision + 1
    if ARGV[at + 3] > uk then uk, u = ARGV[at + 3], ARGV[at + 2] end
  end
  return (news > 0 and 'ok ' or 'same ') .. integer(revision) .. ' ' .. integer(n) .. ' ' .. table.concat(repeated, ',')
end

local reply = { 'ok', head.ws, uk, head.us, uk, head.us }
local at, first = texts + count + 1, 1
for index = 1, tonumber(ARGV[6]) do
  local behind_turns = first + tonumber(ARGV[at + 4])
  local behind = behind_turns + tonumber(ARGV[at + 5])
  reply[6 + index] = carry_out(at, first, behind_turns, behind)
  at, first = at + 6, behind
end
if revision == head.r then return reply end

if #transitions > 0 and redis.call('LLEN', KEYS[4]) ~= head.m then
  return { 'corrupt', 'transitions are missing or too many' }
end
-- Each turn has an id.
if head.n > 0 and not has_ids and redis.call('EXISTS', KEYS[3]) == 0 then
  return { 'corrupt', 'the ids of its turns are missing' }
end
if u then add_entries(KEYS, ARGV[4], uk, ARGV[5]) end
-- Pushing tells the length, which spares the question before it.
if (call_all('RPUSH', KEYS[2], turns) or head.n) ~= n then
  for _ = 1, #turns do redis.call('RPOP', KEYS[2]) end
  return { 'corrupt', 'turns are missing or too many' }
end
call_all('RPUSH', KEYS[4], transitions)
call_all('HSET', KEYS[3], ids)
local set = { 'r', integer(revision), 'n', integer(n), 'm', integer(m) }
if u then
  set[7], set[8], set[9], set[10], set[11], set[12] = 'u', u, 'uk', uk, 'us', ARGV[5]
  remove_entries(KEYS, ARGV[4], head.uk, head.us)
  reply[3], reply[4] = uk, ARGV[5]
end
local expiry, results_until = expiry_of(ARGV[3], head, now), results_expiry(head, now)
if expiry then set[#set + 1], set[#set + 2] = 'e', expiry end
if results_until then set[#set + 1], set[#set + 2] = 'x', results_until end
redis.call('HSET', KEYS[1], unpack(set))
expire_all(expiry, KEYS)
return end_operation(KEYS[5], ARGV[1], reply, rank_of(now, is_known_by_ids), results_until, now)
