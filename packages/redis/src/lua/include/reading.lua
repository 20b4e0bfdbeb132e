-- A long read takes several scripts, each of some 256 KiB. Each gives what has changed since the one before, so what was
-- read is always as it is at the moment of the last script.

-- Adds the name and the value of what the log says was altered since then. The value is '' if it is gone. Returns false
-- if the log does not go back so far.
local function add_changes(reply, keys, head, since)
  if head.l - since > LOG then return false end
  local fields, names, seen = {}, {}, {}
  for entry = since, head.l - 1 do fields[#fields + 1] = '~' .. integer(entry % LOG) end
  for _, entry in ipairs(get_all(keys[6], fields, 1, #fields)) do
    for name in string.gmatch(entry or '', '%S+') do
      if not seen[name] then
        seen[name] = true
        if string.sub(name, 1, 1) == '=' then
          reply[#reply + 1] = name
          reply[#reply + 1] = redis.call('LINDEX', keys[2], string.sub(name, 2)) or ''
        else
          names[#names + 1] = name
        end
      end
    end
  end
  local values = get_all(keys[6], names, 1, #names)
  for at, name in ipairs(names) do
    reply[#reply + 1] = name
    reply[#reply + 1] = values[at] or ''
  end
  return true
end

-- Adds the names and values of parts of a list from a place on: at most so many, and until they have so many bytes. Returns
-- the next place and the bytes.
local function add_parts(reply, key, token, list, open, place, most, limit)
  local bytes, count = 0, 0
  local size = open.bytes / math.max(1, open.c.count + open.i.count)
  local step = math.max(1, math.min(64, math.floor(65536 / math.max(1, size))))
  while place < open[list].next and bytes < limit and count < most do
    local fields = {}
    for each = place, math.min(place + step, place + most - count, open[list].next) - 1 do
      fields[#fields + 1] = token .. '.' .. list .. integer(each)
    end
    for at, text in ipairs(redis.call('HMGET', key, unpack(fields))) do
      if text then
        reply[#reply + 1] = fields[at]
        reply[#reply + 1] = text
        bytes, count = bytes + #text, count + 1
      end
    end
    place = place + #fields
  end
  return place, bytes
end
