package sched

// TaskID names a task: a handle whose generation makes it unique over time.
type TaskID uint64

const blockLen = 512

// queue is a double-ended queue of tasks in blocks without pointers into them: a million tasks are 8 MB.
type queue struct {
	blocks [][]TaskID // each blockLen long
	head   int        // index of the first task, in blocks[0]
	n      int
}

func (q *queue) len() int { return q.n }

func (q *queue) at(i int) *TaskID {
	i += q.head
	return &q.blocks[i/blockLen][i%blockLen]
}

func (q *queue) pushBack(t TaskID) {
	if (q.head+q.n)/blockLen == len(q.blocks) {
		q.blocks = append(q.blocks, make([]TaskID, blockLen))
	}
	q.n++
	*q.at(q.n - 1) = t
}

func (q *queue) pushFront(t TaskID) {
	if q.head == 0 {
		q.blocks = append([][]TaskID{make([]TaskID, blockLen)}, q.blocks...)
		q.head = blockLen
	}
	q.head--
	q.n++
	*q.at(0) = t
}

func (q *queue) popFront() TaskID {
	t := *q.at(0)
	q.head++
	q.n--
	switch {
	case q.n == 0:
		q.head = 0
		q.blocks = q.blocks[:min(len(q.blocks), 1)]
	case q.head == blockLen:
		q.head = 0
		q.blocks[0] = nil
		q.blocks = q.blocks[1:]
	}
	return t
}
