// Package arena decides where objects lie in the node's shared memory.
//
// It keeps the map of one arena: which extents are handed out, which are free,
// and which of the free ones have memory behind them. The shared memory itself
// is somewhere else and is written by processes that are not trusted, so not a
// single byte of this map lives there. Offsets that come from other processes
// may be passed to Free and its siblings as they are: a wrong one is an error,
// never a panic and never damage.
//
// # Warm and cold
//
// A page that was used before ("warm") is written about 13 times faster than a
// new one, so every free block is either warm or cold and the two are not
// mixed. Alloc takes warm memory first, then memory that was given back to the
// system, and the part that was never handed out last. Extent.Fresh says which
// tail of an extent may have no memory behind it; the caller must reserve that
// tail (fallocate) before anyone writes to it, or a write may raise SIGBUS when
// the system runs out of memory. Counting a warm page as cold is harmless, the
// other way round is not; where the package rounds, it rounds to cold.
//
// # Structure
//
// The search is the two-level segregated fit of Masmano, Ripoll, Crespo and
// Real ("TLSF", ECRTS 2004): two words of bitmap lead to a bin of similar
// sizes. Bins are last in, first out. Blocks are records in chunks without Go
// pointers, linked by index, so that a million of them cost the garbage
// collector nothing.
//
// Neighbouring free blocks of one temperature are merged at once. A run of
// neighbouring free blocks with some cold memory in it is a stretch; stretches
// have bins of their own, so that a large request can be served from warm and
// cold memory together. The first and last block of a stretch name each other,
// which makes Free O(1). Alloc is O(1) except when it takes a warm block out of
// the inside of a stretch: then it walks to the nearer end. Only when all else
// fails does it search one bin to the end, so that ErrFull is never wrong.
//
// # Use
//
// An Arena is not safe for concurrent use: whoever owns it holds a lock around
// each call. It starts no goroutine, reads no clock and does no I/O.
package arena
