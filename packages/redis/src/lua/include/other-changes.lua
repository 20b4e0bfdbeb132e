-- Changes that are not only a new turn, for the script `change`. Defines `others`.
--   change(item)   carries out the change whose items begin at `item` and whose values begin after `at`, which then is at
--                  their end. Returns its outcome and how many items it has
--   adds_parts()   whether parts are written, but no part was read
--   write()        writes the parts and what is remembered
--   damaged        a reply with the reason why the session cannot be read
--   has_ids        whether an id was found
-- include parts
-- include remembered
-- include workspace
-- The open turns and the entries of parts, as far as they were read or written; what is written to the hash of parts, by
-- field: false for a field that is removed.
local opened, entries, part_values, emptied, log = {}, {}, {}, {}, {}
-- Fields of idempotency keys and texts, by turns; texts by field.
local remembered, known, remembered_count = {}, {}, nil
others = { remembered = remembered, has_ids = false }

local function put(values, field, value)
  values[#values + 1] = field
  values[#values + 1] = value
end

local function next_values(count)
  local first = at + 1
  at = at + count
  return unpack(ARGV, first, at)
end

-- Reads the open turn of an item, and the entries of some names. Nil if the client must look.
local function open_turn(item, names)
  local place = places[item]
  if not place or added[ARGV[FIELDS + item]] then return nil end
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
  if not opened[turn_token] then others.damaged = PARTS_MISSING end
  return opened[turn_token] and turn_token
end

-- What an update alters: a list of steps. Nil if the client must decide.
local function plan_update(item)
  local most_bytes, removals, puts = next_values(3)
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
  if bytes > tonumber(most_bytes) then return nil end
  return steps
end

local function carry_out(step)
  local list = string.sub(step.name, 1, 1)
  local open, name = opened[step.token], step.token .. '.' .. step.name
  local parts, place = open[list], step.place
  open.bytes, open.revision = open.bytes + step.growth, head.r
  if not place then place, parts.next, parts.count = integer(parts.next), parts.next + 1, parts.count + 1 end
  local part = step.token .. '.' .. list .. place
  log[#log + 1] = part
  if step.text then
    entries[name] = place .. step.tail
    part_values[part], part_values[name] = step.text, entries[name]
  else
    entries[name], parts.count = false, parts.count - 1
    part_values[part], part_values[name] = false, false
    emptied[#emptied + 1] = step.token .. '.' .. list .. '#' .. integer(math.floor(tonumber(place) / BLOCK))
  end
end

-- Whether a turn or a transition is stored already: true, false if it is plainly new, or nil if the client must decide.
-- `what` is said of a turn that is stored open.
local function is_stored(item, list_key, text, what)
  local field, place = ARGV[FIELDS + item], places[item]
  if field == '' then return false end
  local stored = added[field]
  if not stored then
    if not place then return false end
    others.has_ids = true
    local index = last_place(place)
    stored = index and redis.call('LINDEX', list_key, index) or ''
  end
  if what == '' then return stored == text or nil end
  -- Two open turns have different tokens. Their parts may differ by now.
  if not string.find(what, ' running ', 1, true) then return nil end
  return string.match(stored, '^[%w_-]+({.*)$') == string.match(text, '^[%w_-]+({.*)$') or nil
end

function others.change(item)
  local first, outcome = item, nil
  local scope, updated_at, instant, shape = next_values(4)
  local turn_count, transition_count, updates, is_keyed, if_revision = '1', '0', '0', '0', ''
  if shape ~= '' then
    turn_count, transition_count, updates, is_keyed, if_revision = string.match(shape, '^(%d+) (%d+) (%d) (%d) (%d*)$')
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
      if unreadable then others.damaged = unreadable end
      known[key], remembered_count = text, remembered_count or count
    end
    if text then outcome = 'known ' .. text end
  end
  if not outcome and if_revision ~= '' and if_revision ~= head.r then outcome = 'decide' end

  local steps = {}
  if updates ~= '0' then
    steps = plan_update(item)
    if not steps then outcome = outcome or 'decide' end
    item = item + 1
  end
  local turns_end = item + tonumber(turn_count)
  local items_end = turns_end + tonumber(transition_count)
  -- New turns and transitions.
  local rows, repeated = {}, {}
  for each = item, items_end - 1 do
    local is_turn, text, what = each < turns_end, next_values(1), ''
    if is_turn and shape ~= '' then what = next_values(1) end
    local row = { field = ARGV[FIELDS + each], is_turn = is_turn, text = text }
    row.token, row.count = string.match(what, '^(%S+) .* (%d+)$')
    row.at = at
    at = at + tonumber(row.count or 0)
    if not outcome then
      local stored = is_stored(each, is_turn and turns_key or transitions_key, text, what)
      if stored == nil then
        outcome = 'decide'
      elseif not stored then
        rows[#rows + 1] = row
      elseif is_turn then
        repeated[#repeated + 1] = integer(each - item)
      end
    end
  end
  if outcome then return outcome, items_end - first end

  local is_changed = #steps > 0 or #rows > 0
  if is_changed then change_head(instant, updated_at) end
  for _, step in ipairs(steps) do carry_out(step) end
  for _, row in ipairs(rows) do
    local index
    if row.is_turn then
      turns[#turns + 1], index, head.n = row.text, head.n, integer(head.n + 1)
    else
      transitions[#transitions + 1], index, head.m = row.text, head.m, integer(head.m + 1)
    end
    if row.token then
      index = index .. '@' .. row.token
      for value = row.at + 1, row.at + tonumber(row.count), 2 do part_values[ARGV[value]] = ARGV[value + 1] end
    end
    if row.field ~= '' then
      put(ids, row.field, index)
      added[row.field] = row.text
    end
  end
  if key ~= '' then
    known[key] = remembering_of(remembering, head.r, head.n, ARGV, FIELDS + item, repeated)
    put(remembered, key, known[key])
  end
  return (is_changed and 'ok ' or 'same ') .. head.r .. ' ' .. head.n .. ' ' .. table.concat(repeated, ','),
    items_end - first
end

function others.adds_parts()
  return #log == 0 and next(part_values) ~= nil
end

function others.write()
  for turn_token, open in pairs(opened) do
    if open.revision then
      part_values[turn_token] = open_text(open, open.revision)
      log[#log + 1] = turn_token
    end
  end
  local set, gone = {}, {}
  for field, value in pairs(part_values) do
    if value then put(set, field, value) else gone[#gone + 1] = field end
  end
  if #log > 0 then put(set, log_entry(head, log)) end
  call_all('HSET', parts_key, set)
  call_all('HDEL', parts_key, gone)
  for _, field in ipairs(emptied) do redis.call('HINCRBY', parts_key, field, 1) end
  for index = 1, #remembered, 2 do
    remember(remembered_key, remembered[index], remembered[index + 1], remembered_count)
    remembered_count = remembered_count + 1
  end
end
