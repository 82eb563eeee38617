package sched

// TaskID names a task: a handle whose generation makes it unique over time.
type TaskID uint64

const (
	chunkLen = 15
	blockLen = 512 // chunks
)

// chunk is a piece of a queue. Small, because many queues hold only a few tasks; a million tasks are 8.5 MB.
type chunk struct {
	tasks [chunkLen]TaskID
	next  uint32 // number of the chunk behind it
	_     uint32
}

// chunks is the memory of all queues, without pointers into it. Chunks are numbered from 1.
type chunks struct {
	blocks []*[blockLen]chunk
	made   uint32 // chunks that were ever taken since all were free
	free   uint32 // list of those given back
	used   int
}

func (c *chunks) at(i uint32) *chunk { return &c.blocks[(i-1)/blockLen][(i-1)%blockLen] }

func (c *chunks) take() uint32 {
	c.used++
	i := c.free
	if i != 0 {
		c.free = c.at(i).next
	} else {
		if int(c.made) == len(c.blocks)*blockLen {
			c.blocks = append(c.blocks, new([blockLen]chunk))
		}
		c.made++
		i = c.made
	}
	c.at(i).next = 0
	return i
}

func (c *chunks) give(i uint32) {
	if c.used--; c.used == 0 { // after a burst the memory goes, but for one block
		c.made, c.free = 0, 0
		if len(c.blocks) > 1 {
			c.blocks = []*[blockLen]chunk{c.blocks[0]}
		}
		return
	}
	c.at(i).next = c.free
	c.free = i
}

// queue is a double-ended queue of tasks. One that holds a single task, as most do most of the time, has no chunk.
type queue struct {
	only       TaskID // the task of a queue without chunks
	head, tail uint32 // chunks, 0: none
	from, to   uint32 // place of the first task in head, and behind the last in tail
	n          int
}

func (q *queue) len() int { return q.n }

func (q *queue) pushBack(c *chunks, t TaskID) {
	if q.n == 0 {
		q.only, q.n = t, 1
		return
	}
	q.unfold(c, 0)
	if q.to == chunkLen {
		i := c.take()
		c.at(q.tail).next = i
		q.tail, q.to = i, 0
	}
	c.at(q.tail).tasks[q.to] = t
	q.to++
	q.n++
}

func (q *queue) pushFront(c *chunks, t TaskID) {
	if q.n == 0 {
		q.only, q.n = t, 1
		return
	}
	q.unfold(c, chunkLen-1)
	if q.from == 0 {
		i := c.take()
		c.at(i).next = q.head
		q.head, q.from = i, chunkLen
	}
	q.from--
	c.at(q.head).tasks[q.from] = t
	q.n++
}

// unfold puts the only task of a queue into a chunk, at a place.
func (q *queue) unfold(c *chunks, place uint32) {
	if q.head != 0 {
		return
	}
	q.head = c.take()
	q.tail, q.from, q.to = q.head, place, place+1
	c.at(q.head).tasks[place] = q.only
}

// front returns the first task of a queue that is not empty.
func (q *queue) front(c *chunks) TaskID {
	if q.head == 0 {
		return q.only
	}
	return c.at(q.head).tasks[q.from]
}

func (q *queue) popFront(c *chunks) TaskID {
	q.n--
	i := q.head
	if i == 0 {
		return q.only
	}
	t := c.at(i).tasks[q.from]
	q.from++
	switch {
	case q.n == 0:
		c.give(i)
		q.head, q.tail = 0, 0
	case q.from == chunkLen:
		q.head, q.from = c.at(i).next, 0
		c.give(i)
	}
	return t
}

// each goes through the tasks in order.
func (q *queue) each(c *chunks, yield func(TaskID) bool) {
	if q.n > 0 && q.head == 0 {
		yield(q.only)
		return
	}
	i, k := q.head, q.from
	for range q.n {
		if k == chunkLen {
			i, k = c.at(i).next, 0
		}
		if !yield(c.at(i).tasks[k]) {
			return
		}
		k++
	}
}
