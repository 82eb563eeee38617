package arena

// A stretch is a maximal run of neighbouring free blocks. Between leave and
// enter its mates and bins are out of date; every function here starts and ends
// with all stretches entered.

// stretchSize requires that first is the first block of a stretch.
func (a *Arena) stretchSize(first blockID) uint32 {
	b := a.slab.at(first)
	return a.slab.at(b.mate).end() - b.off
}

// enter makes the blocks first..last a stretch.
func (a *Arena) enter(first, last blockID) {
	f, l := a.slab.at(first), a.slab.at(last)
	f.mate, l.mate = last, first
	switch {
	case l.next == 0 && l.state == cold:
		a.top = first
	case first == last && l.state == warm:
		// The bins of warm blocks have it already.
	default:
		a.stretches.push(&a.slab, first, l.end()-f.off)
	}
}

// leave undoes enter.
func (a *Arena) leave(first blockID) {
	if a.top == first {
		a.top = 0
		return
	}
	a.stretches.remove(&a.slab, first)
}

func (a *Arena) pushWarm(id blockID) {
	a.warm.push(&a.slab, id, a.slab.at(id).size)
}

func (a *Arena) removeWarm(id blockID) {
	a.warm.remove(&a.slab, id)
	if a.hot.id == id {
		a.hot.id = 0
	}
}

// free reports whether id is a free block; 0, the neighbour of the first and the
// last block, is not.
func (a *Arena) free(id blockID) bool { return id != 0 && a.slab.at(id).state.free() }

// makeFree turns a used block into a free one of the given state, merges it with
// its neighbours, and returns the block that it is part of then.
func (a *Arena) makeFree(id blockID, to state) blockID {
	b := a.slab.at(id)
	b.state = to
	if to == cold {
		a.coldSize += b.size
	}
	first, last := id, id
	if p := b.prev; a.free(p) {
		first = a.slab.at(p).mate
		a.leave(first)
		if a.slab.at(p).state == to {
			a.removeWarm(p)
			a.absorbNext(p)
			id, last = p, p
		}
	}
	if n := a.slab.at(id).next; a.free(n) {
		last = a.slab.at(n).mate
		a.leave(n)
		if a.slab.at(n).state == to {
			a.removeWarm(n)
			a.absorbNext(id)
			if last == n {
				last = id
			}
		}
	}
	if to == warm {
		a.pushWarm(id)
	}
	a.enter(first, last)
	return id
}

// absorbNext makes the block as long as itself and its right neighbour together.
// Both are in no warm bin.
func (a *Arena) absorbNext(id blockID) {
	b := a.slab.at(id)
	n := b.next
	nb := a.slab.at(n)
	b.size += nb.size
	b.next = nb.next
	if b.next != 0 {
		a.slab.at(b.next).prev = id
	}
	a.index.clear(nb.off)
	a.slab.drop(n)
}

// split cuts the block after size granules and returns the new right part, which
// has the given state and is in no bin.
func (a *Arena) split(id blockID, size uint32, right state) blockID {
	r := a.slab.take() // may move the list of chunks, never a block
	b := a.slab.at(id)
	*a.slab.at(r) = block{off: b.off + size, size: b.size - size, prev: id, next: b.next, state: right}
	if b.next != 0 {
		a.slab.at(b.next).prev = r
	}
	b.size, b.next = size, r
	a.index.set(b.off+size, r)
	return r
}

// ends returns the first and last block of the stretch that id is in. It walks
// to the nearer end; the other is that one's mate.
func (a *Arena) ends(id blockID) (first, last blockID) {
	for l, r := id, id; ; l, r = a.slab.at(l).prev, a.slab.at(r).next {
		if !a.free(a.slab.at(l).prev) {
			return l, a.slab.at(l).mate
		}
		if !a.free(a.slab.at(r).next) {
			return a.slab.at(r).mate, r
		}
	}
}

// cutWarm makes size granules at off of the warm block id used and returns the
// used block. What is left of the block on either side stays warm.
func (a *Arena) cutWarm(id blockID, off, size uint32) blockID {
	first, last := a.ends(id)
	a.leave(first)
	a.removeWarm(id)
	u, lastIsCut := id, last == id
	if b := a.slab.at(id); off > b.off {
		u = a.split(id, off-b.off, used)
		a.pushWarm(id)
	}
	if a.slab.at(u).size > size {
		a.pushWarm(a.split(u, size, warm))
	}
	ub := a.slab.at(u)
	ub.state = used
	if a.free(ub.prev) {
		a.enter(first, ub.prev)
	}
	if a.free(ub.next) {
		if lastIsCut {
			last = ub.next
		}
		a.enter(ub.next, last)
	}
	return u
}

// cutStretch makes the first size granules of the stretch used and returns how
// many of them, at the end, may be cold.
func (a *Arena) cutStretch(first blockID, size uint32) (fresh uint32) {
	last := a.slab.at(first).mate
	a.leave(first)
	b := a.slab.at(first)
	was := b.state
	a.unfree(first)
	if was == cold {
		fresh = size
	}
	for b.size < size {
		n := b.next
		was = a.slab.at(n).state
		if was == cold && fresh == 0 {
			fresh = size - b.size
		}
		a.unfree(n)
		if last == n {
			last = first
		}
		a.absorbNext(first)
	}
	if b.size > size {
		r := a.split(first, size, was)
		if was == warm {
			a.pushWarm(r)
		} else {
			a.coldSize += a.slab.at(r).size
		}
		if last == first {
			last = r
		}
	}
	if a.free(b.next) {
		a.enter(b.next, last)
	}
	return fresh
}

// unfree takes a free block out of the accounts and makes it used.
func (a *Arena) unfree(id blockID) {
	b := a.slab.at(id)
	if b.state == warm {
		a.removeWarm(id)
	} else {
		a.coldSize -= b.size
	}
	b.state = used
}
