package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// The job, as far as it is known here. What may be null is a pointer.
type job struct {
	Protocol int
	Server   struct {
		Host       string
		Port       int
		UnixSocket *string `json:"unix_socket"`
		Password   *string
	}
	Workload   *workload
	Workers    int
	KeyPrefix  string `json:"key_prefix"`
	Warmup     *amount
	Seed       int64
	DeleteKeys bool `json:"delete_keys"`
}

type amount struct {
	Operations *int64
	DurationNs *int64 `json:"duration_ns"`
}

type workload struct {
	amount
	Kind       string
	ValueBytes *int `json:"value_bytes"`
	Pipeline   int
	Rate       *float64
	Verify     bool
	// Of read-write.
	Keys         int64
	Reads        *float64
	Distribution string
	// Of queue.
	Producers   int
	Structure   string
	Acknowledge bool
	Backlog     int64
}

// What is written is one line at a time, and nothing comes after a failure.
var output sync.Mutex

func say(event map[string]interface{}) {
	line, _ := json.Marshal(event)
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// giveUp ends the process. The lock is kept, so that the first reason is the one that is told.
func giveUp(kind, format string, arguments ...interface{}) {
	line, _ := json.Marshal(map[string]string{"event": "failed", "kind": kind, "error": fmt.Sprintf(format, arguments...)})
	output.Lock()
	os.Stdout.Write(append(line, '\n'))
	os.Exit(1)
}

// listen hands on every line of the input. Its end is the end of the process, whatever that is doing.
func listen() <-chan []byte {
	lines := make(chan []byte, 2)
	go func() {
		input := bufio.NewReader(os.Stdin)
		for {
			line, err := input.ReadBytes('\n')
			if err == io.EOF {
				os.Exit(0)
			}
			lines <- line
		}
	}()
	return lines
}

// readJob says no to what cannot be done.
func readJob(line []byte) *job {
	var version struct{ Protocol int }
	if err := json.Unmarshal(line, &version); err != nil {
		giveUp("protocol", "this is no job: %v", err)
	}
	if version.Protocol != 1 && version.Protocol != 2 {
		giveUp("protocol", "the job is of protocol version %d, this driver speaks versions 1 and 2", version.Protocol)
	}
	var j job
	if err := json.Unmarshal(line, &j); err != nil {
		giveUp("protocol", "this is no job: %v", err)
	}
	w := j.Workload
	if w == nil || j.Warmup == nil || (w.Operations == nil) == (w.DurationNs == nil) || j.Workers < 1 {
		giveUp("protocol", "a job has a workload, a warm-up, operations or a duration, and at least one worker")
	}
	switch w.Kind {
	case "set-get":
	case "read-write":
		if w.Keys < 1 || w.Reads == nil {
			giveUp("protocol", "the job lacks keys or reads")
		}
		if w.Distribution != "uniform" && w.Distribution != "zipf" && w.Distribution != "sequential" {
			giveUp("unsupported", "this driver knows no distribution `%s`", w.Distribution)
		}
	case "queue":
		if w.Producers < 1 || w.Rate == nil && w.Backlog < 1 {
			giveUp("protocol", "the job lacks producers or a backlog")
		}
		if w.Structure != "list" && w.Structure != "stream" {
			giveUp("unsupported", "this driver knows no structure `%s`", w.Structure)
		}
	default:
		giveUp("unsupported", "this driver knows no workload of kind `%s`", w.Kind)
	}
	if w.Pipeline > 1 {
		giveUp("unsupported", "this driver does not pipeline (asked for %d)", w.Pipeline)
	}
	return &j
}

// Buckets of three significant digits: 0 to 999, and 900 more for each further power of ten.
const (
	perPower = 900
	powers   = 16
)

// Operations are also counted in time slots since the start. When a time lies beyond the last slot, all slots double in
// width.
const (
	slots      = 64
	firstWidth = 20
)

// A tally is what one worker has done in one phase. Nobody else looks at it before the phase is over.
type tally struct {
	operations, reads int64
	ended, maxLag     int64 // since the start
	sum, xor          int64 // of the numbers of tasks
	latencies         [1000 + perPower*powers]int64
	slots             [slots]int64
	width             int // of a slot, as a power of two in nanoseconds
}

func newTally() *tally {
	return &tally{width: firstWidth}
}

// latency counts that of one operation.
func (t *tally) latency(nanos int64) {
	power := 0
	for nanos >= 1000 {
		nanos /= 10
		power++
	}
	t.latencies[nanos+perPower*int64(power)]++
}

// finish counts an operation that was done at a moment since the start.
func (t *tally) finish(ended int64) {
	t.operations++
	t.ended = ended
	for ended>>t.width >= slots {
		t.widen()
	}
	t.slots[ended>>t.width]++
}

// lag notes how late an operation was started.
func (t *tally) lag(nanos int64) {
	if nanos > t.maxLag {
		t.maxLag = nanos
	}
}

func (t *tally) widen() {
	for slot := range t.slots {
		if 2*slot < slots {
			t.slots[slot] = t.slots[2*slot] + t.slots[2*slot+1]
		} else {
			t.slots[slot] = 0
		}
	}
	t.width++
}

// add takes over all of another tally.
func (t *tally) add(other *tally) {
	for other.width < t.width {
		other.widen()
	}
	for t.width < other.width {
		t.widen()
	}
	for slot := range t.slots {
		t.slots[slot] += other.slots[slot]
	}
	for bucket := range t.latencies {
		t.latencies[bucket] += other.latencies[bucket]
	}
	t.operations += other.operations
	t.reads += other.reads
	t.sum += other.sum
	t.xor ^= other.xor
	t.lag(other.maxLag)
	if other.ended > t.ended {
		t.ended = other.ended
	}
}

// done is what the driver says of the measured part.
func (t *tally) done(w *workload) map[string]interface{} {
	latency, progress := [][2]int64{}, [][2]int64{}
	for bucket, count := range t.latencies {
		if count > 0 {
			latency = append(latency, [2]int64{lowerBound(int64(bucket)), count})
		}
	}
	operations := int64(0)
	for slot := int64(0); slot < slots && slot<<t.width <= t.ended; slot++ {
		operations += t.slots[slot]
		end := (slot + 1) << t.width
		if end > t.ended {
			end = t.ended
		}
		progress = append(progress, [2]int64{end, operations})
	}
	event := map[string]interface{}{
		"event": "done", "elapsed_ns": t.ended, "operations": t.operations, "errors": 0,
		"latency": latency, "progress": progress,
	}
	if w.Rate != nil {
		event["max_lag_ns"] = t.maxLag
	}
	if w.Kind == "read-write" {
		event["calls"] = map[string]int64{"get": t.reads, "set": t.operations - t.reads}
	}
	if w.Kind == "queue" && w.Verify {
		event["delivered"] = map[string]int64{"sum": t.sum, "xor": t.xor}
	}
	return event
}

func lowerBound(bucket int64) int64 {
	if bucket < 1000 {
		return bucket
	}
	power := (bucket - 100) / perPower
	bound := bucket - power*perPower
	for ; power > 0; power-- {
		bound *= 10
	}
	return bound
}
