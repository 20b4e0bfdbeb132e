-- What a session remembers by idempotency key is a hash:
--   k and the key    a change (JSON)
--   #                how many changes there have been
--   0 to 255         the field of the change in this place of a ring: a session remembers the last 256
local REMEMBERED = 256

-- Returns the change in a field, or false; then how many there have been, or nil and a reply with the reason.
local function find_remembered(key, field)
  local found = redis.call('HMGET', key, field, '#')
  local count = found[2] or '0'
  if not string.find(count, '^%d+$') then return false, nil, { 'corrupt', 'the number of remembered changes is invalid' } end
  return found[1], tonumber(count)
end

-- A change to remember (JSON) with its result. It repeated turns whose positions are given; their id fields come after
-- `before` in an array.
local function remembering_of(text, revision, turn_count, fields, before, repeated)
  local members = '{"revision":' .. integer(revision) .. ',"turn_count":' .. integer(turn_count)
  if repeated and #repeated > 0 then
    local ids = {}
    for index, position in ipairs(repeated) do ids[index] = '"' .. string.sub(fields[before + position], 2) .. '"' end
    members = members .. ',"deduplicated":[' .. table.concat(ids, ',') .. ']'
  end
  return members .. ',' .. string.sub(text, 2)
end

local function remember(key, field, text, count)
  local place = integer(count % REMEMBERED)
  local oldest = count >= REMEMBERED and redis.call('HGET', key, place)
  if oldest then redis.call('HDEL', key, oldest) end
  redis.call('HSET', key, '#', integer(count + 1), place, field, field, text)
end
