-- Finds a room's epoch and offset. It is put in front of append.lua and read.lua.
--
-- Within an epoch an offset always names the same message. So a new epoch begins if entries that a process
-- has seen were lost, or may have been lost. Offsets continue in it, so the remaining entries stay readable.
--
-- KEYS  meta log refs order rooms
-- ARGV  generation of the server; a name for the new epoch, if one begins; milliseconds to keep an
--       empty room; what the caller has seen: epoch, offset, that message's time (0: not checked)
local meta, log, refs, order, rooms = unpack(KEYS)
local generation, new_epoch, keep = ARGV[1], ARGV[2], tonumber(ARGV[3])
local seen_epoch, seen_offset, seen_time = ARGV[4], tonumber(ARGV[5]), ARGV[6]

local function digits(number) return string.format('%.0f', number) end
local function field(entry, name)
    for i = 1, #entry[2], 2 do
        if entry[2][i] == name then return entry[2][i + 1] end
    end
end

local found = redis.call('HMGET', meta, 'epoch', 'offset', 'base', 'generation', 'tidied')
local epoch, offset, base = found[1], tonumber(found[2] or 0), tonumber(found[3] or 0)

local function begin()
    epoch, base = new_epoch, offset
    redis.call('HSET', meta, 'epoch', epoch, 'offset', digits(offset), 'base', digits(base), 'generation', generation)
end

local function seen_another()
    if seen_epoch ~= epoch then return false end
    if seen_offset > offset then return true end
    if seen_time == '0' then return false end
    local id = digits(seen_offset) .. '-0'
    local entry = redis.call('XRANGE', log, id, id)[1]
    return entry and field(entry, 'time') ~= seen_time
end

if not epoch then
    redis.call('DEL', log, refs, order)
    begin()
elseif seen_another() then
    begin()
elseif found[4] ~= generation then
    -- The server stopped uncleanly meanwhile. A caller that knows this epoch, and has seen no entry that is lost,
    -- proves that the epoch can continue.
    if seen_epoch == epoch then
        redis.call('HSET', meta, 'generation', generation)
    else
        begin()
    end
end
