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
-- ARGV[6]   the most bytes of a turn
-- ARGV[7]   number of changes
-- ARGV[8]   number of items in all changes. The items of a change are the turn that it updates, the turns that it
--           appends, and its transitions
-- ARGV[9]   '1' if a change reopens a session that has ended, or ''
-- ARGV[10...] the id field of each item ('' for a transition without an id), then for each change:
--           scope ('*', or a workspace as in the head), revision that the session must have or '', updatedAt (JSON), its
--           instant, its shape: number of turns, and if it has anything else, separated by spaces: number of turns, of
--           transitions and of updates (0 or 1), 1 if it has an idempotency key; then the field of that key and what to
--           remember (JSON);
--           for the update: number of parts to remove and to put; for each to remove its name; for each to put its
--           name, bytes, digest, digest of its call or '-', digest of its call if it has finished or '-', '1' if it may
--           replace any call or '', text;
--           for each turn: text, '' if it is whole, else its token, 'running' or 'done', and the number of values for the
--           hash of parts, separated by spaces, and those values;
--           for each transition: text
--
-- Returns 'ok', workspace, instant and stamp of updatedAt, the two before the call, then one text for each change:
--           'ok' or 'same', revision, turn count, positions of its turns that were there, separated by spaces;
--           or 'known' and the remembered change; or 'decide'; or 'elsewhere': its workspace is another
--      or 'missing' | 'late', server's ms | 'newer', version | 'corrupt', reason
-- include session
-- include operation
-- include entries
-- include remembered
-- include parts
local head_key, turns_key, ids_key, transitions_key, results_key, parts_key, remembered_key = unpack(KEYS, 1, 7)
local token, deadline, ttl_ms, session_id, stamp, most_bytes, change_count, item_count, reopens = unpack(ARGV, 1, 9)
local now = now_ms()
local earlier = begin_operation(results_key, token, deadline, now)
if earlier then return earlier end
local head, refusal = read_head(KEYS, '*')
if not head then return refusal end

-- JSON as the client writes it. The same text deeper in the metadata only makes the client decide.
if reopens == '1' and string.find(redis.call('HGET', head_key, 'd') or '', '"ended":true', 1, true) then
  local decides = {}
  for index = 1, tonumber(change_count) do decides[index] = 'decide' end
  return { 'ok', head.ws, head.uk, head.us, head.uk, head.us, unpack(decides) }
end

local fields = 9
local at = fields + tonumber(item_count)
local places = get_all(ids_key, ARGV, fields + 1, at)
local revision, n, m, uk, us, u = head.r, head.n, head.m, head.uk, head.us, head.u
local uk_before, us_before = uk, us
most_bytes = tonumber(most_bytes)
local turns, transitions, ids, part_values, dropped_parts, log = {}, {}, {}, {}, {}, {}
-- What this call adds, by id field; the open turns and the entries of parts that it has read or written.
local added, opened, entries, is_known_by_ids, has_ids = {}, {}, {}, true, false
local remembered, remembered_count, known = {}, nil, {}
local is_altered, damaged, outcomes = false, nil, {}

local function put(values, field, value)
  values[#values + 1] = field
  values[#values + 1] = value
end

-- Made when a change needs it: most calls only append a turn.
local function make_change()
  local function next_values(count)
    local first = at + 1
    at = at + count
    return unpack(ARGV, first, at)
  end

  -- Reads the open turn of an item, and the entries of some names. Nil if the client must look.
  local function open_turn(item, names)
    local place = places[item]
    if not place or added[ARGV[fields + item]] then return nil end
    local _, turn_token = last_place(place)
    if turn_token == '' or not turn_token then return nil end
    local wanted = {}
    if not opened[turn_token] then wanted[1] = turn_token end
    for _, name in ipairs(names) do
      local field = turn_token .. '.' .. name
      if entries[field] == nil then wanted[#wanted + 1] = field end
    end
    if #wanted > 0 then
      for index, value in ipairs(get_all(parts_key, wanted, 1, #wanted)) do
        if wanted[index] == turn_token then
          opened[turn_token] = read_open(value)
        else
          entries[wanted[index]] = value
        end
      end
    end
    if not opened[turn_token] then damaged = PARTS_MISSING end
    return opened[turn_token] and turn_token
  end

  -- What an update alters: a list of steps. Nil if the client must decide.
  local function plan_update(item)
    local removals, puts = next_values(2)
    removals, puts = tonumber(removals), tonumber(puts)
    local names, first = {}, at
    at = at + removals + 7 * puts
    for index = 1, removals do names[index] = ARGV[first + index] end
    for index = 1, puts do names[removals + index] = ARGV[first + removals + 7 * index - 6] end
    local turn_token = open_turn(item, names)
    if not turn_token then return nil end
    local steps, bytes = {}, opened[turn_token].bytes
    for index, name in ipairs(names) do
      local entry = entries[turn_token .. '.' .. name]
      local place, bytes_before, digest_before, call_before
      if entry then
        place, bytes_before, digest_before, call_before = string.match(entry, '^(%d+) (%d+) (%S+) ([^%s;]+)$')
        if not place then return nil end
        bytes_before = tonumber(bytes_before)
      end
      local step = { token = turn_token, name = name, place = place, growth = -(bytes_before or 0) }
      if index > removals then
        local from = first + removals + 7 * (index - removals - 1)
        local size, digest, call, finished, may_replace, text = unpack(ARGV, from + 2, from + 7)
        if entry and may_replace == '' and call_before ~= '-' and call_before ~= call then return nil end
        if entry and digest_before == digest then step = nil end
        if step then
          step.text, step.growth = text, step.growth + tonumber(size)
          step.tail = ' ' .. size .. ' ' .. digest .. ' ' .. finished
        end
      elseif not entry then
        step = nil
      end
      if step then
        steps[#steps + 1] = step
        bytes = bytes + step.growth
      end
    end
    if bytes > most_bytes then return nil end
    return steps
  end

  local function carry_out(step)
    local list = string.sub(step.name, 1, 1)
    local open, name = opened[step.token], step.token .. '.' .. step.name
    local parts, place = open[list], step.place
    open.bytes, open.is_altered = open.bytes + step.growth, true
    is_altered, is_known_by_ids = true, false
    if not place then place, parts.next, parts.count = integer(parts.next), parts.next + 1, parts.count + 1 end
    local part = step.token .. '.' .. list .. place
    log[#log + 1] = part
    if step.text then
      entries[name] = place .. step.tail
      part_values[part], part_values[name] = step.text, entries[name]
    else
      entries[name], parts.count = false, parts.count - 1
      part_values[part], part_values[name] = false, false
      dropped_parts[#dropped_parts + 1] = step.token .. '.' .. list .. '#' .. integer(math.floor(tonumber(place) / BLOCK))
    end
  end

  -- Whether a turn or a transition is stored already: true, false if it is plainly new, or nil if the client must decide.
  -- Its text is in ARGV at `text`; what is said of an open turn comes after it.
  local function is_stored(item, is_turn, text)
    local field, place = ARGV[fields + item], places[item]
    if field == '' then return false end
    local stored = added[field]
    if not stored then
      if not place then return false end
      has_ids = true
      local index = last_place(place)
      stored = index and redis.call('LINDEX', is_turn and turns_key or transitions_key, index) or ''
    end
    if not is_turn or ARGV[text + 1] == '' then return stored == ARGV[text] or nil end
    -- Two open turns have different tokens. Their parts may differ by now.
    if not string.find(ARGV[text + 1], ' running ', 1, true) then return nil end
    text = ARGV[text]
    return string.match(stored, '^[%w_-]+({.*)$') == string.match(text, '^[%w_-]+({.*)$') or nil
  end

  -- Carries out the change whose items begin at `item`. Returns its outcome and how many items it has. Its values begin after `at`, and end at `at` after it.
  local function change(item)
    local scope, if_revision, updated_at, instant, shape = next_values(5)
    local first, outcome = item, nil
    local turn_count, transition_count, updates, is_keyed = shape, '0', '0', '0'
    if not is_count(shape) then
      turn_count, transition_count, updates, is_keyed = string.match(shape, '^(%d+) (%d+) (%d) (%d)$')
    end
    local key, remembering = '', nil
    if is_keyed == '1' then key, remembering = next_values(2) end
    if scope ~= '*' and scope ~= head.ws then
      outcome = workspace_of(head.ws, redis.call('HGET', head_key, 'f')) and 'elsewhere' or 'decide'
    elseif key ~= '' then
      local text = known[key]
      if text == nil then
        local count, unreadable
        text, count, unreadable = find_remembered(remembered_key, key)
        if unreadable then damaged = unreadable end
        known[key], remembered_count = text, remembered_count or count
      end
      if text then outcome = 'known ' .. text end
    end
    if not outcome and if_revision ~= '' and tonumber(if_revision) ~= revision then outcome = 'decide' end

    local steps = {}
    if updates ~= '0' then
      steps = plan_update(item)
      if not steps then outcome = outcome or 'decide' end
      item = item + 1
    end
    local turns_end = item + tonumber(turn_count)
    local items_end = turns_end + tonumber(transition_count)
    -- Of each new item: its number, and where its text is.
    local rows, repeated = {}, {}
    for each = item, items_end - 1 do
      local text, is_turn = at + 1, each < turns_end
      at = text
      if is_turn then at = text + 1 + tonumber(string.match(ARGV[text + 1], '%d+$') or 0) end
      if not outcome then
        local stored = is_stored(each, is_turn, text)
        if stored == nil then
          outcome = 'decide'
        elseif not stored then
          put(rows, each, text)
        elseif is_turn then
          repeated[#repeated + 1] = integer(each - item)
        end
      end
    end
    if outcome then return outcome, items_end - first end

    for _, step in ipairs(steps) do carry_out(step) end
    for row = 1, #rows, 2 do
      local field, text = ARGV[fields + rows[row]], rows[row + 1]
      local index
      if rows[row] < turns_end then
        turns[#turns + 1], index, n = ARGV[text], integer(n), n + 1
        local turn_token, values = string.match(ARGV[text + 1], '^(%S+) .* (%d+)$')
        if turn_token then
          index = index .. '@' .. turn_token
          for value = text + 2, text + 1 + tonumber(values), 2 do part_values[ARGV[value]] = ARGV[value + 1] end
        end
      else
        transitions[#transitions + 1], index, m = ARGV[text], integer(m), m + 1
      end
      if field == '' then
        is_known_by_ids = false
      else
        put(ids, field, index)
        added[field] = ARGV[text]
      end
    end
    local is_changed = #steps > 0 or #rows > 0
    if is_changed then
      revision = revision + 1
      if instant > uk then uk, us, u = instant, stamp, updated_at end
      for _, step in ipairs(steps) do opened[step.token].revision = revision end
    end
    if key ~= '' then
      known[key] = remembering_of(remembering, revision, n, ARGV, fields + item, repeated)
      put(remembered, key, known[key])
      is_known_by_ids = false
    end
    return (is_changed and 'ok ' or 'same ') .. integer(revision) .. ' ' .. integer(n) .. ' '
      .. table.concat(repeated, ','), items_end - first
  end

  return change
end

local change, item = nil, 1
for index = 1, tonumber(change_count) do
  local field, count = ARGV[fields + item], 1
  local is_plain = ARGV[at + 5] == '1' and ARGV[at + 7] == '' and places[item] == false and not added[field]
    and ARGV[at + 2] == '' and (ARGV[at + 1] == '*' or ARGV[at + 1] == head.ws)
  if is_plain then
    -- A new turn that is stored whole.
    local place, text = integer(n), ARGV[at + 6]
    turns[#turns + 1], added[field] = text, text
    put(ids, field, place)
    n, revision = n + 1, revision + 1
    if ARGV[at + 4] > uk then uk, us, u = ARGV[at + 4], stamp, ARGV[at + 3] end
    outcomes[index] = 'ok ' .. integer(revision) .. ' ' .. integer(n) .. ' '
    at = at + 7
  else
    change = change or make_change()
    outcomes[index], count = change(item)
    if damaged then return damaged end
  end
  item = item + count
end
if revision == head.r and #remembered == 0 then return { 'ok', head.ws, uk, us, uk_before, us_before, unpack(outcomes) } end

if #transitions > 0 and redis.call('LLEN', transitions_key) ~= head.m then
  return { 'corrupt', 'transitions are missing or too many' }
end
-- Each turn has an id.
if #turns > 0 and head.n > 0 and not has_ids and redis.call('EXISTS', ids_key) == 0 then
  return { 'corrupt', 'the ids of its turns are missing' }
end
for turn_token, open in pairs(opened) do
  if open.is_altered then
    part_values[turn_token] = open_text(open, open.revision)
    log[#log + 1] = turn_token
  end
end
-- A key of another type must be found before anything is written.
if next(part_values) and not is_altered then redis.call('HLEN', parts_key) end
if uk ~= uk_before then add_entries(KEYS, session_id, uk, us) end
-- RPUSH returns the length, which saves an LLEN before it.
if (call_all('RPUSH', turns_key, turns) or n) ~= n then
  for _ = 1, #turns do redis.call('RPOP', turns_key) end
  return { 'corrupt', 'turns are missing or too many' }
end
call_all('RPUSH', transitions_key, transitions)
call_all('HSET', ids_key, ids)
head.r, head.n, head.m = revision, n, m
if next(part_values) then
  local set, gone = {}, {}
  for field, value in pairs(part_values) do
    if value then put(set, field, value) else gone[#gone + 1] = field end
  end
  if is_altered then put(set, log_entry(head, log)) end
  call_all('HSET', parts_key, set)
  call_all('HDEL', parts_key, gone)
  for _, field in ipairs(dropped_parts) do redis.call('HINCRBY', parts_key, field, 1) end
end
for index = 1, #remembered, 2 do
  remember(remembered_key, remembered[index], remembered[index + 1], remembered_count)
  remembered_count = remembered_count + 1
end
if uk ~= uk_before then
  head.uk, head.us, head.u = uk, us, u
  remove_entries(KEYS, session_id, uk_before, us_before)
end
head.e = expiry_of(ttl_ms, head, now)
local reply = { 'ok', head.ws, uk, us, uk_before, us_before, unpack(outcomes) }
keep_result(results_key, token, reply, rank_of(now, is_known_by_ids))
count_operation(results_key, head, now)
redis.call('HSET', head_key, 'c', state_of(head))
expire_all(head.e, KEYS)
return reply
