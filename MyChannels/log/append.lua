-- One message into the log, once.
--
-- ARGV  room; sender, text, user (1 or 0); idempotency key, digest of the text; bounds: entries,
--       seconds; seconds for which an idempotency key is known at least; milliseconds between two
--       tidyings; channel and event of the announcement, or empty
-- Returns epoch, offset, time, and 1 for new (or the repetition of an append whose answer was lost),
-- 0 for known already, -1 for known with another text.
local room, sender, text, user, ref, digest = unpack(ARGV, 7, 12)
local length, seconds, ref_seconds = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local TRIMMED_AT_ONCE = 100 -- bounds what one append may cost after a bound was lowered
local tidy_every, channel, event = tonumber(ARGV[16]), ARGV[17], ARGV[18]

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Offset, time, digest, and the name that this very append had for a new epoch: its own repetition has the same.
local function known(value) return value:match('^(%d+) (%d+) (%S+) (%S+)$') end

local first = redis.call('HGET', refs, ref)
if first then
    local known_offset, known_time, known_digest, known_append = known(first)
    local verdict = 0
    if known_digest ~= digest then verdict = -1 elseif known_append == new_epoch then verdict = 1 end
    return {epoch, tonumber(known_offset), tonumber(known_time), verdict}
end

offset = offset + 1
redis.call('XADD', log, 'MAXLEN', length, digits(offset) .. '-0',
    'sender', sender, 'text', text, 'time', digits(now), 'user', user)
redis.call('HSET', refs, ref, digits(offset) .. ' ' .. digits(now) .. ' ' .. digest .. ' ' .. new_epoch)
redis.call('RPUSH', order, ref)

-- Half of what an append costs, if each did it.
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

-- More often than TRIMMED_AT_ONCE, so that it keeps up with any rate.
if now - tonumber(found[5] or 0) >= tidy_every or offset % (TRIMMED_AT_ONCE / 2) == 0 then
    redis.call('HSET', meta, 'offset', digits(offset), 'tidied', digits(now))
    tidy()
else
    redis.call('HSET', meta, 'offset', digits(offset))
end

if channel ~= '' then
    local announced = cmsgpack.unpack(event)
    announced.epoch, announced.offset, announced.time = epoch, offset, now
    redis.call('PUBLISH', channel, cmsgpack.pack(announced))
end
return {epoch, offset, now, 1}
