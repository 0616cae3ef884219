-- Appends messages to the log, each exactly once.
--
-- ARGV  room; bounds: entries, seconds; minimum seconds to remember an idempotency key; milliseconds between two
--       cleanups; then for each message: a unique name for this append; sender, text, user (1 or 0); idempotency key,
--       digest of the text; channel and event of the announcement, or empty
-- Returns for each message: epoch, offset, time, and a verdict: 1 new (or the repetition of an append whose answer was
-- lost), 0 already known, -1 already known with another text.
local MESSAGES, EACH = 12, 8 -- index of the first message in ARGV, and arguments per message
local TRIMMED_AT_ONCE = 100 -- bounds the cost of one command after a bound was lowered
local room, length, seconds = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local ref_seconds, tidy_every = tonumber(ARGV[10]), tonumber(ARGV[11])

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Offset, time, digest, and the append's name. A repetition of the same append has the same name.
local function known(value) return value:match('^(%d+) (%d+) (%S+) (%S+)$') end

local events = {}
for i = MESSAGES, #ARGV, EACH do -- an event that cannot be unpacked fails before anything is written
    if ARGV[i + 6] ~= '' then events[i] = cmsgpack.unpack(ARGV[i + 7]) end
end

local before, answers, announced = offset, {}, {}
local added, new_refs, new_values = {}, {}, {}

local function append(i)
    local name, sender, text, user, ref, digest, channel = unpack(ARGV, i, i + 6)
    local first = added[ref] or redis.call('HGET', refs, ref)
    if first then
        local known_offset, known_time, known_digest, known_name = known(first)
        local verdict = 0
        if known_digest ~= digest then verdict = -1 elseif known_name == name then verdict = 1 end
        return {epoch, tonumber(known_offset), tonumber(known_time), verdict}
    end
    offset = offset + 1
    redis.call('XADD', log, 'MAXLEN', length, digits(offset) .. '-0',
        'sender', sender, 'text', text, 'time', digits(now), 'user', user)
    added[ref] = digits(offset) .. ' ' .. digits(now) .. ' ' .. digest .. ' ' .. name
    new_refs[#new_refs + 1] = ref
    new_values[#new_values + 1] = ref
    new_values[#new_values + 1] = added[ref]
    if events[i] then announced[#announced + 1] = {channel, offset, events[i]} end
    return {epoch, offset, now, 1}
end

for i = MESSAGES, #ARGV, EACH do
    answers[#answers + 1] = append(i)
end
if offset == before then return answers end
redis.call('HSET', refs, unpack(new_values))
redis.call('RPUSH', order, unpack(new_refs))

-- If each append did this, it would be half of the append's cost.
local function tidy()
    redis.call('ZADD', rooms, digits(now), room)
    local oldest
    for _ = 1, TRIMMED_AT_ONCE do
        oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
        if tonumber(field(oldest, 'time')) >= now - seconds * 1000 then break end
        redis.call('XDEL', log, oldest[1])
    end
    local oldest_offset = tonumber(oldest[1]:match('^%d+'))
    for _ = 1, TRIMMED_AT_ONCE do
        local oldest_ref = redis.call('LINDEX', order, 0)
        local ref_offset, ref_time = known(redis.call('HGET', refs, oldest_ref))
        if tonumber(ref_offset) >= oldest_offset or tonumber(ref_time) > now - ref_seconds * 1000 then break end
        redis.call('HDEL', refs, oldest_ref)
        redis.call('LPOP', order)
    end
    redis.call('PEXPIRE', log, seconds * 1000 + tidy_every)
    for _, key in ipairs({meta, refs, order}) do
        redis.call('PEXPIRE', key, math.max(seconds, ref_seconds) * 1000 + tidy_every)
    end
end

-- A command has at most this many messages (TOGETHER in connection.py), so there are fewer than TRIMMED_AT_ONCE
-- messages between two cleanups, and cleanups keep up with any rate.
local step = TRIMMED_AT_ONCE / 2
if now - tonumber(found[5] or 0) >= tidy_every or math.floor(offset / step) > math.floor(before / step) then
    redis.call('HSET', meta, 'offset', digits(offset), 'tidied', digits(now))
    tidy()
else
    redis.call('HSET', meta, 'offset', digits(offset))
end

for _, announcement in ipairs(announced) do
    local channel, announced_offset, event = unpack(announcement)
    event.epoch, event.offset, event.time = epoch, announced_offset, now
    redis.call('PUBLISH', channel, cmsgpack.pack(event))
end
return answers
