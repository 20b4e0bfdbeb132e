-- How many parts each block of a list has.
local function blocks_of(key, token, list, next)
  local fields, counts = {}, {}
  local last = math.ceil(next / BLOCK)
  for block = 1, last do fields[block] = token .. '.' .. list .. '#' .. integer(block - 1) end
  local empty = get_all(key, fields, 1, last)
  for block = 1, last do
    counts[block] = math.min(next - (block - 1) * BLOCK, BLOCK) - (tonumber(empty[block] or 0) or 0)
  end
  return counts
end

local function has_part(key, token, list, place)
  return redis.call('HEXISTS', key, token .. '.' .. list .. integer(place)) == 1
end

-- The place of the part at an index, or the next place if there are not so many. Costs little unless parts were removed.
local function place_at(key, token, list, parts, index)
  if index >= parts.count then return parts.next end
  if parts.count == parts.next then return index end
  local before = 0
  for block, count in ipairs(blocks_of(key, token, list, parts.next)) do
    if before + count > index then
      for place = (block - 1) * BLOCK, block * BLOCK - 1 do
        if has_part(key, token, list, place) then
          if before == index then return place end
          before = before + 1
        end
      end
    end
    before = before + count
  end
  return parts.next
end

-- The places of the last parts of a list, the last one first, at most this many.
local function last_places(key, token, list, parts, most)
  local places = {}
  local counts = blocks_of(key, token, list, parts.next)
  for block = #counts, 1, -1 do
    local place = math.min(block * BLOCK, parts.next) - 1
    local left = counts[block]
    while left > 0 and place >= (block - 1) * BLOCK do
      if #places == most then return places end
      if has_part(key, token, list, place) then
        places[#places + 1], left = integer(place), left - 1
      end
      place = place - 1
    end
  end
  return places
end
