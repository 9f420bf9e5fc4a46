// redigo as a client. Workers are goroutines with a connection each. How the protocol is spoken, and how operations are
// counted, is in protocol.go.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"net"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

const (
	deleteBatch = 1000
	// What is pushed behind the last task, for each consumer.
	end = "end"
	// How long a consumer's command waits for a task, in seconds, before it is sent again.
	wait = 1
	// A timer may fire as late as this. Nearer to its moment an operation is not slept for.
	timerPrecision = 2 * time.Millisecond
)

// The release of Debian's package, where that stands in for the module.
var packaged string

func main() {
	lines := listen()
	j := readJob(<-lines)
	connections := j.Workers
	if j.Workload.Kind == "queue" {
		connections += j.Workload.Producers
	}
	conns := make([]redis.Conn, connections)
	for i := range conns {
		conns[i] = j.connect()
	}

	warmup := *j.Workload
	warmup.amount, warmup.Rate = *j.Warmup, nil
	newPhase(j, &warmup, "w").run(conns)
	say(map[string]interface{}{"event": "ready", "client": client(), "runtime": "Go " + strings.TrimPrefix(runtime.Version(), "go"), "workers": j.Workers})

	var message struct{ Go bool }
	if err := json.Unmarshal(<-lines, &message); err != nil || !message.Go {
		giveUp("protocol", "go was due")
	}
	say(newPhase(j, j.Workload, "").run(conns).done(j.Workload))
	// The end of the input, which is all that may come now, ends the process.
	select {}
}

// client is the library and its release.
func client() string {
	version := packaged
	if build, ok := debug.ReadBuildInfo(); ok && version == "" {
		for _, dependency := range build.Deps {
			if dependency.Path == "github.com/gomodule/redigo" {
				version = strings.TrimPrefix(dependency.Version, "v")
			}
		}
	}
	return "redigo " + version
}

// connect ends the process if there is no server. Go sets TCP_NODELAY by itself, and redigo has no timeouts but those
// that one asks for.
func (j *job) connect() redis.Conn {
	network, address := "tcp", net.JoinHostPort(j.Server.Host, strconv.Itoa(j.Server.Port))
	if j.Server.UnixSocket != nil {
		network, address = "unix", *j.Server.UnixSocket
	}
	var options []redis.DialOption
	if j.Server.Password != nil {
		options = append(options, redis.DialPassword(*j.Server.Password))
	}
	conn, err := redis.Dial(network, address, options...)
	if err != nil {
		giveUp("connection", "connecting to %s: %v", address, err)
	}
	return conn
}

// call sends one command and waits for its reply. Whatever goes wrong ends the process: nothing is tried twice.
func call(conn redis.Conn, command string, arguments ...interface{}) interface{} {
	reply, err := conn.Do(command, arguments...)
	if err != nil {
		var answer redis.Error
		if errors.As(err, &answer) {
			giveUp("other", "%s: %v", command, err)
		}
		giveUp("connection", "%s: %v", command, err)
	}
	return reply
}

// A phase is the warm-up or the measured part. Its moments are in nanoseconds since its start.
type phase struct {
	job        *job
	work       *workload
	infix      string
	start      time.Time
	operations int64 // those of all workers
	deadline   int64

	// Of a queue.
	key, taken string
	state      sync.Mutex
	room       *sync.Cond // for producers, while the backlog is full
	begun      int64      // tasks that have their number, so that the next one's is this
	got        int64      // tasks that a consumer has
	producing  int        // producers that are not through
	waiting    int
}

func newPhase(j *job, w *workload, infix string) *phase {
	p := &phase{job: j, work: w, infix: infix, operations: math.MaxInt64, deadline: math.MaxInt64, producing: w.Producers}
	if w.Operations != nil {
		p.operations = *w.Operations
	}
	if w.DurationNs != nil {
		p.deadline = *w.DurationNs
	}
	p.key, p.taken = j.KeyPrefix+infix+"queue", j.KeyPrefix+infix+"taken:"
	p.room = sync.NewCond(&p.state)
	return p
}

func (p *phase) now() int64 {
	return int64(time.Since(p.start))
}

// due is the moment of an operation in an open loop.
func (p *phase) due(operation int64) int64 {
	return int64(float64(operation) * 1e9 / *p.work.Rate)
}

// until returns at a moment, and the time that it is then.
func (p *phase) until(moment int64) int64 {
	for {
		now := p.now()
		left := time.Duration(moment - now)
		if left <= 0 {
			return now
		}
		if left > timerPrecision {
			time.Sleep(left - timerPrecision)
		} else {
			runtime.Gosched()
		}
	}
}

// run has all workers do their part. Their first connections are those of the workers, the others of the producers.
func (p *phase) run(conns []redis.Conn) *tally {
	tallies, keys := make([]*tally, len(conns)), make([][]interface{}, len(conns))
	p.start = time.Now()
	queue := p.work.Kind == "queue"
	if queue && p.work.Structure == "stream" {
		call(conns[0], "XGROUP", "CREATE", p.key, "workers", "0", "MKSTREAM")
	}
	var all sync.WaitGroup
	for i := range conns {
		all.Add(1)
		tallies[i] = newTally()
		go func(i int) {
			defer all.Done()
			switch {
			case !queue:
				keys[i] = p.operate(conns[i], int64(i), tallies[i])
			case i < p.job.Workers:
				p.consume(conns[i], i, tallies[i])
			default:
				p.produce(conns[i], tallies[i])
			}
		}(i)
	}
	all.Wait()

	total := newTally()
	for i, t := range tallies {
		total.add(t)
		if queue && i < p.job.Workers {
			keys[i] = []interface{}{p.taken + strconv.Itoa(i)}
		}
	}
	if queue {
		keys[0] = append(keys[0], p.key)
		if total.operations != p.begun {
			giveUp("verification", "of %d tasks that were pushed %d were taken", p.begun, total.operations)
		}
	}
	if p.job.DeleteKeys {
		for i, conn := range conns {
			for first := 0; first < len(keys[i]); first += deleteBatch {
				last := first + deleteBatch
				if last > len(keys[i]) {
					last = len(keys[i])
				}
				call(conn, "DEL", keys[i][first:last]...)
			}
		}
	}
	return total
}

// ------------------------------------------------------------------------------------------ set-get, read-write

// operate is one worker's part. It returns the keys that it has written and that are to be deleted.
func (p *phase) operate(conn redis.Conn, worker int64, t *tally) (written []interface{}) {
	workers := int64(p.job.Workers)
	share := p.operations / workers
	if worker < p.operations%workers {
		share++
	}
	if p.work.Operations == nil {
		share = math.MaxInt64
	}
	stem := fmt.Sprintf("%s%s%d:", p.job.KeyPrefix, p.infix, worker)
	// The choices of the warm-up are not those of the measured part.
	random := rand.New(rand.NewSource(p.job.Seed*1_000_003 + 2*worker + int64(len(p.infix))))
	readWrite := p.work.Kind == "read-write"
	if readWrite {
		stem = p.job.KeyPrefix
	}
	for i := int64(0); i < share; i++ {
		index, set, get := i, true, true
		if readWrite {
			index = p.choose(random, worker, i)
			get = random.Float64() < *p.work.Reads
			set = !get
		}
		key, value := stem+strconv.FormatInt(index, 10), p.value(index)
		began := p.now()
		if p.work.Rate != nil {
			began = p.due(worker + i*workers)
		}
		if began >= p.deadline {
			break
		}
		if p.work.Rate != nil {
			t.lag(p.until(began) - began)
		}
		if p.job.DeleteKeys && !readWrite {
			written = append(written, key)
		}
		if set {
			call(conn, "SET", key, value)
		}
		if get {
			fetched, err := redis.String(call(conn, "GET", key), nil)
			if p.work.Verify && (err != nil || fetched != value) {
				giveUp("verification", "worker %d: %s holds %.60q, not %.60q", worker, key, fetched, value)
			}
			t.reads++
		}
		ended := p.now()
		t.latency(ended - began)
		t.finish(ended)
	}
	return written
}

// value is the decimal index, or its last digits with zeros in front.
func (p *phase) value(index int64) string {
	digits := strconv.FormatInt(index, 10)
	if p.work.ValueBytes == nil {
		return digits
	}
	if missing := *p.work.ValueBytes - len(digits); missing > 0 {
		return strings.Repeat("0", missing) + digits
	}
	return digits[len(digits)-*p.work.ValueBytes:]
}

// choose is which of the keys that are there an operation has.
func (p *phase) choose(random *rand.Rand, worker, operation int64) int64 {
	switch p.work.Distribution {
	case "uniform":
		return random.Int63n(p.work.Keys)
	case "sequential":
		return (worker*p.work.Keys/int64(p.job.Workers) + operation) % p.work.Keys
	}
	// Zipf, by rejection-inversion (Hörmann and Derflinger 1996), for the exponent 1.
	keys := float64(p.work.Keys)
	high, low := math.Log(keys+0.5), math.Log(1.5)-1
	for {
		u := high + random.Float64()*(low-high)
		x := math.Exp(u)
		k := math.Min(math.Max(math.Floor(x+0.5), 1), keys)
		if k-x <= 2-2.5*math.Exp(-0.5) || u >= math.Log(k+0.5)-1/k {
			return int64(k) - 1
		}
	}
}

// --------------------------------------------------------------------------------------------------------- queue

// produce pushes tasks until there are no more, and if it is the last producer the marks of the end.
func (p *phase) produce(conn redis.Conn, t *tally) {
	size := 0
	if p.work.ValueBytes != nil {
		size = *p.work.ValueBytes
	}
	filler := strings.Repeat("x", size)
	for {
		number, due, ok := p.next()
		if !ok {
			break
		}
		since := p.now()
		if p.work.Rate != nil {
			t.lag(p.until(due) - due)
			since = due
		}
		task := strconv.FormatInt(number, 10) + ":" + strconv.FormatInt(since, 10)
		if missing := size - len(task) - 1; missing >= 0 {
			task += ":" + filler[:missing]
		}
		p.push(conn, task)
	}
	p.state.Lock()
	p.producing--
	last := p.producing == 0
	p.state.Unlock()
	for i := 0; last && i < p.job.Workers; i++ {
		p.push(conn, end)
	}
}

// next waits for room in the backlog and takes a number. A number is only taken by who uses it, so that there are no
// holes: the deadline comes first.
func (p *phase) next() (number, due int64, ok bool) {
	p.state.Lock()
	defer p.state.Unlock()
	for p.work.Rate == nil && p.begun-p.got >= p.work.Backlog {
		p.waiting++
		p.room.Wait()
		p.waiting--
	}
	if p.work.Rate != nil {
		due = p.due(p.begun)
	} else {
		due = p.now()
	}
	if p.begun >= p.operations || due >= p.deadline {
		return 0, 0, false
	}
	number = p.begun
	p.begun++
	return number, due, true
}

// took lets producers go on. They are woken when half of the backlog is free: otherwise it would have to be done for every
// task.
func (p *phase) took() {
	p.state.Lock()
	p.got++
	if p.waiting > 0 && p.begun-p.got <= p.work.Backlog/2 {
		p.room.Broadcast()
	}
	p.state.Unlock()
}

// consume takes tasks until it gets a mark of the end.
func (p *phase) consume(conn redis.Conn, worker int, t *tally) {
	taken := p.taken + strconv.Itoa(worker)
	for {
		task, id := p.take(conn, worker, taken)
		now := p.now()
		if task == "" {
			continue
		}
		if task != end {
			number, since := parse(task)
			p.took()
			t.latency(now - since)
			t.sum += number
			t.xor ^= number
		}
		if p.work.Acknowledge {
			p.acknowledge(conn, taken, task, id)
			now = p.now()
		}
		if task == end {
			return
		}
		t.finish(now)
	}
}

func parse(task string) (number, since int64) {
	parts := strings.SplitN(task, ":", 3)
	if len(parts) >= 2 {
		var first, second error
		number, first = strconv.ParseInt(parts[0], 10, 64)
		since, second = strconv.ParseInt(parts[1], 10, 64)
		if first == nil && second == nil {
			return number, since
		}
	}
	giveUp("verification", "got %.60q, which nobody has pushed", task)
	return 0, 0
}

func (p *phase) push(conn redis.Conn, task string) {
	if p.work.Structure == "list" {
		call(conn, "LPUSH", p.key, task)
	} else {
		call(conn, "XADD", p.key, "*", "task", task)
	}
}

// take is a task and, of a stream, its ID; nothing if none came in time.
func (p *phase) take(conn redis.Conn, worker int, taken string) (task, id string) {
	var reply interface{}
	var err error
	switch {
	case p.work.Structure == "stream":
		arguments := redis.Args{"GROUP", "workers", worker, "COUNT", 1, "BLOCK", wait * 1000}
		if !p.work.Acknowledge {
			arguments = arguments.Add("NOACK")
		}
		if reply = call(conn, "XREADGROUP", arguments.Add("STREAMS", p.key, ">")...); reply != nil {
			id, task, err = entry(reply)
		}
	case p.work.Acknowledge:
		if reply = call(conn, "BLMOVE", p.key, taken, "RIGHT", "LEFT", wait); reply != nil {
			task, err = redis.String(reply, nil)
		}
	default:
		if reply = call(conn, "BRPOP", p.key, wait); reply != nil {
			var both []string
			if both, err = redis.Strings(reply, nil); err == nil && len(both) == 2 {
				task = both[1]
			}
		}
	}
	if err != nil || reply != nil && task == "" {
		giveUp("verification", "worker %d: got %.60q, which is no task", worker, reply)
	}
	return task, id
}

// entry is the only one of the only stream in a reply: a list of streams, each a name and a list of entries, each an ID
// and a list of fields and their values.
func entry(reply interface{}) (id, task string, err error) {
	for depth := 0; depth < 3; depth++ {
		list, err := redis.Values(reply, nil)
		if err != nil || len(list) == 0 {
			return "", "", errors.New("no entry")
		}
		reply = list[len(list)-1]
	}
	list, err := redis.Values(reply, nil)
	if err != nil || len(list) != 2 {
		return "", "", errors.New("no entry")
	}
	if id, err = redis.String(list[0], nil); err != nil {
		return "", "", err
	}
	fields, err := redis.Strings(list[1], nil)
	if err != nil || len(fields) != 2 {
		return "", "", errors.New("no entry")
	}
	return id, fields[1], nil
}

func (p *phase) acknowledge(conn redis.Conn, taken, task, id string) {
	var reply interface{}
	if p.work.Structure == "stream" {
		reply = call(conn, "XACK", p.key, "workers", id)
	} else {
		reply = call(conn, "LREM", taken, 1, task)
	}
	if count, err := redis.Int(reply, nil); err != nil || count != 1 {
		giveUp("verification", "acknowledging %.60q was answered with %v", task, reply)
	}
}
