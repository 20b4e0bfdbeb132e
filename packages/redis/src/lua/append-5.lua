-- Appends turns and transitions: the one script of most calls. Carries out the appends of several callers that wait
-- at the same moment, one after the other, each with a result of its own. What is not plainly new or plainly a
-- repetition is left to the client to decide, with nothing of it written.
--
-- KEYS  1 head, 2 turns, 3 ids, 4 transitions, 5 operations; on one server also its indexes by updatedAt
-- ARGV  1 token, 2 deadline (ms of the server's clock), 3 ttl in ms or 0, 4 id of the session, 5 stamp of its index
--       entries, 6 number of appends, then for each: scope ('*' or a workspace as in the head), revision that the
--       session must be at or '', updatedAt (JSON), its instant, number of turns, number of transitions, for each turn
--       its id field and its text, for each transition its id field or '' and its text
-- reply 'ok', workspace, instant and stamp of updatedAt, the two as they were before, then for each append one text,
--         parted by U+001F: 'ok' | 'same', revision, turns, places in it of turns that were there; 'decide' | 'missing'
--       'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
local now = now_ms()
local appends, at = {}, 7
local tokens, fields = {}, {}
for index = 1, tonumber(ARGV[6]) do
  local append = {
    scope = ARGV[at], revision = ARGV[at + 1], u = ARGV[at + 2], uk = ARGV[at + 3],
    turns = tonumber(ARGV[at + 4]), transitions = tonumber(ARGV[at + 5]),
    first = #fields + 1, texts = at + 7, is_known_by_ids = true,
  }
  at = at + 6
  for _ = 1, append.turns + append.transitions do
    -- A transition without an id is never taken for another; no id has an empty field.
    fields[#fields + 1] = ARGV[at]
    at = at + 2
  end
  appends[index] = append
  tokens[index] = ARGV[1] .. ':' .. index
end

local results = get_all(KEYS[5], tokens)
local is_repeated = false
for index = 1, #tokens do is_repeated = is_repeated or results[index] end
local is_late = now > tonumber(ARGV[2])
if is_late and not is_repeated then return { 'late', integer(now) } end
local head, refusal = read_head(KEYS[1], '*')
if not head and not is_repeated then return refusal end
local reply = { 'ok' }
if not head then
  -- What was appended was deleted since; it is the first results that count.
  for _ = 1, 5 do reply[#reply + 1] = '' end
  for index = 1, #tokens do
    reply[#reply + 1] = results[index] and string.match(results[index], '\31(.*)') or 'missing'
  end
  return reply
end

local places = get_all(KEYS[3], fields)
-- What this call adds, by id field.
local added = {}
local new_turns, new_transitions, new_ids, new_results = {}, {}, {}, {}
local revision, n, m, uk, u = head.r, head.n, head.m, head.uk, nil

-- Whether it is plainly there (true) or plainly new (nil); false where the client has to look.
local function known(field, place, text, list)
  if field == '' then return nil end
  local found = added[field]
  if not found and place then found = redis.call('LINDEX', list, last_place(place)) end
  if not found then return nil end
  return found == text
end

local function carry_out(append)
  if append.scope ~= '*' and append.scope ~= head.ws then return 'missing' end
  if append.revision ~= '' and tonumber(append.revision) ~= revision then return 'decide' end
  local brings, repeated = {}, {}
  for index = 0, append.turns + append.transitions - 1 do
    local is_turn = index < append.turns
    local field, text = fields[append.first + index], ARGV[append.texts + 2 * index]
    local is_known = known(field, places[append.first + index], text, is_turn and KEYS[2] or KEYS[4])
    if is_known == false then return 'decide' end
    if is_known == nil then
      brings[#brings + 1] = { is_turn, field, text }
    elseif is_turn then
      repeated[#repeated + 1] = index
    end
  end
  for _, one in ipairs(brings) do
    local is_turn, field, text = one[1], one[2], one[3]
    if is_turn then new_turns[#new_turns + 1] = text else new_transitions[#new_transitions + 1] = text end
    if field ~= '' then
      new_ids[#new_ids + 1] = field
      new_ids[#new_ids + 1] = integer(is_turn and n or m)
      added[field] = text
    end
    if is_turn then n = n + 1 else m = m + 1 end
    append.is_known_by_ids = append.is_known_by_ids and field ~= ''
  end
  if #brings > 0 then
    revision = revision + 1
    if append.uk > uk then uk, u = append.uk, append.u end
  end
  local status = #brings > 0 and 'ok' or 'same'
  return table.concat({ status, integer(revision), integer(n), table.concat(repeated, ',') }, '\31')
end

local outcomes = {}
for index, append in ipairs(appends) do
  if results[index] then
    outcomes[index] = string.match(results[index], '\31(.*)')
  elseif is_late then
    outcomes[index] = 'decide'
  else
    local before = revision
    outcomes[index] = carry_out(append)
    if revision > before then
      new_results[#new_results + 1] = tokens[index]
      new_results[#new_results + 1] = rank_of(now, append.is_known_by_ids) .. '\31' .. outcomes[index]
    end
  end
end

local us = u and ARGV[5] or head.us
if revision > head.r then
  if #new_transitions > 0 and redis.call('LLEN', KEYS[4]) ~= head.m then
    return { 'corrupt', 'transitions are missing or too many' }
  end
  if u then add_entries(KEYS, ARGV[4], uk, us) end
  -- Pushing tells the length, which spares the question before it.
  local length = head.n
  for from = 1, #new_turns, CHUNK do
    length = redis.call('RPUSH', KEYS[2], unpack(new_turns, from, math.min(from + CHUNK - 1, #new_turns)))
  end
  if length ~= n then
    for _ = 1, #new_turns do redis.call('RPOP', KEYS[2]) end
    return { 'corrupt', 'turns are missing or too many' }
  end
  call_all('RPUSH', KEYS[4], new_transitions)
  call_all('HSET', KEYS[3], new_ids)
  local set = { 'r', integer(revision), 'n', integer(n), 'm', integer(m) }
  local function put(field, value)
    set[#set + 1] = field
    set[#set + 1] = value
  end
  if u then
    put('u', u)
    put('uk', uk)
    put('us', us)
    remove_entries(KEYS, ARGV[4], head.uk, head.us)
  end
  local expiry, results_until = expiry_of(ARGV[3], head, now), results_expiry(head, now)
  if expiry then put('e', expiry) end
  if results_until then put('x', results_until) end
  redis.call('HSET', KEYS[1], unpack(set))
  expire_all(expiry, { KEYS[1], KEYS[2], KEYS[3], KEYS[4] })
  keep_results(KEYS[5], new_results, head.r, revision, results_until)
end
for _, value in ipairs({ head.ws, uk, us, head.uk, head.us }) do reply[#reply + 1] = value end
for _, outcome in ipairs(outcomes) do reply[#reply + 1] = outcome end
return reply
