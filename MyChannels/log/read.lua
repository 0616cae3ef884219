-- Reads the messages after an offset, oldest first.
--
-- ARGV  the offset, or -1 for the caller's own (in an epoch that it does not know, for the epoch's start);
--       maximum number of entries
-- Returns epoch, the offset after which it began, the newest offset, entries.
if redis.call('PTTL', meta) < keep then redis.call('PEXPIRE', meta, keep) end

local after, most = tonumber(ARGV[7]), tonumber(ARGV[8])
if after < 0 then after = seen_epoch == epoch and seen_offset or base end

local entries = {}
if most > 0 and offset > after then
    entries = redis.call('XRANGE', log, digits(after + 1) .. '-0', '+', 'COUNT', most)
end
return {epoch, base, offset, entries}
