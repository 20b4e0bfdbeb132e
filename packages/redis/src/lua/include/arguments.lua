-- Gives what takes values out of ARGV one stretch after the other, the first from a place on.
local function values_from(at)
  return function(count)
    local values = {}
    for index = 1, count do values[index] = ARGV[at + index - 1] end
    at = at + count
    return values
  end
end
