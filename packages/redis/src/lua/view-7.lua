-- Reads what the decision about a change depends on: the head, the turns and transitions with certain ids, and the entries
-- of certain parts.
--
-- KEYS[1]  head
-- KEYS[2]  turns
-- KEYS[3]  ids
-- KEYS[4]  transitions
-- KEYS[5]  results of operations
-- KEYS[6]  parts
-- KEYS[7]  remembered changes
-- ARGV[1]  scope: '*', or a workspace as in the head
-- ARGV[2]  number of turns to keep, or ''
-- ARGV[3]  number of turn ids
-- ARGV[4]  number of transition ids
-- ARGV[5]  field of an idempotency key, or ''
-- ARGV[6...] the fields of the turn ids, then those of the transition ids; then for each turn id: how many of the last
--          places of its lists to give, number of names of parts, the names
--
-- Returns 'ok', c, f, d, ck, cs; for each turn id its places or '', the index of the last one that is kept or '', its
--           text or '', the description of an open turn or '', the last places of its tool calls and of its items, and
--           the entry or '' of each name; for each transition id its place or '' and its text or ''; the remembered
--           change or ''
--      or 'missing', 'elsewhere' for another workspace | 'newer', version | 'corrupt', reason
-- include session
-- include damage
-- include remembered
-- include parts
-- include places
local head_key, turns_key, ids_key, transitions_key, _, parts_key, remembered_key = unpack(KEYS, 1, 7)
local scope, keep_turns, turn_id_count, transition_id_count, key_field = unpack(ARGV, 1, 5)
local head, refusal = read_head(KEYS, scope)
if not head then return refusal end
local damaged = damage(head, turns_key, transitions_key)
if damaged then return damaged end
local texts = redis.call('HMGET', head_key, 'f', 'd', 'ck', 'cs')
if not (texts[1] and texts[2] and texts[3] and texts[4]) then return { 'corrupt', 'it lacks a member' } end
local reply = { 'ok', head.c, texts[1], texts[2], texts[3], texts[4] }
local function add(...)
  for _, value in ipairs({ ... }) do reply[#reply + 1] = value end
end
local kept = head.n
if keep_turns ~= '' then kept = math.min(kept, tonumber(keep_turns)) end
local turn_ids, transition_ids = tonumber(turn_id_count), tonumber(transition_id_count)
local places = get_all(ids_key, ARGV, 6, 5 + turn_ids + transition_ids)
local at = 6 + turn_ids + transition_ids
for index = 1, turn_ids do
  local known, last, token = places[index] or '', nil, ''
  for place in string.gmatch(known, '%S+') do
    local place_index, place_token = last_place(place)
    if not place_index then return { 'corrupt', 'the place of a turn is invalid' } end
    if place_index < kept then last, token = place_index, place_token end
  end
  local most, names = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  add(known, last and integer(last) or '', last and redis.call('LINDEX', turns_key, last) or '')
  if token == '' then
    add('', '', '')
    for _ = 1, names do add('') end
  else
    local fields = { token }
    for name = 1, names do fields[name + 1] = token .. '.' .. ARGV[at + 1 + name] end
    local found = get_all(parts_key, fields, 1, #fields)
    local open = read_open(found[1])
    if not open then return PARTS_MISSING end
    add(found[1])
    for _, list in ipairs({ 'c', 'i' }) do
      add(most == 0 and '' or table.concat(last_places(parts_key, token, list, open[list], most), ' '))
    end
    for name = 2, names + 1 do add(found[name] or '') end
  end
  at = at + 2 + names
end
for index = turn_ids + 1, turn_ids + transition_ids do
  local known = places[index] or ''
  local place = known ~= '' and last_place(known)
  if known ~= '' and not place then return { 'corrupt', 'the place of a transition is invalid' } end
  add(known, place and redis.call('LINDEX', transitions_key, place) or '')
end
local remembered, _, unreadable = false, nil, nil
if key_field ~= '' then
  remembered, _, unreadable = find_remembered(remembered_key, key_field)
  if unreadable then return unreadable end
end
add(remembered or '')
return reply
