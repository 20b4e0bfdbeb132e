-- What a session remembers by idempotency key is a hash:
--   k and the key    a change (JSON)
--   #                how many changes there have been
--   0 to 255         the field of the change in this place of a ring: a session remembers the last 256
local REMEMBERED = 256

-- Returns the change in a field, or nil; then how many there have been, or nil and a reply with the reason.
local function find_remembered(key, field)
  local found = redis.call('HMGET', key, field, '#')
  local count = found[2] or '0'
  if not is_count(count) then return nil, nil, { 'corrupt', 'the number of remembered changes is invalid' } end
  return found[1], tonumber(count)
end

-- The change has all but its revision and turn count.
local function remember(key, field, text, count, revision, turn_count)
  text = '{"revision":' .. revision .. ',"turn_count":' .. turn_count .. ',' .. string.sub(text, 2)
  local place = integer(count % REMEMBERED)
  local oldest = count >= REMEMBERED and redis.call('HGET', key, place)
  if oldest then redis.call('HDEL', key, oldest) end
  redis.call('HSET', key, '#', integer(count + 1), place, field, field, text)
end
