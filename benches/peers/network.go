// Command network does the work of src/bench/network in Go: goroutines as processes, chan uint64 between them.
//
//	network [-threads 1] [-capacity 0] WORKLOAD COUNT SIZE
//
// It does one workload once, checks what arrived, and prints one line of JSON, which has the same fields as the
// one that the Rust contenders print. Times are in nanoseconds for one unit of COUNT, memory is in bytes for one
// of SIZE.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// As many as in src/bench/run.rs.
const stages = 16

type record struct {
	Workload   string   `json:"workload"`
	Contender  string   `json:"contender"`
	Count      uint64   `json:"count"`
	Size       int      `json:"size"`
	NsPer      float64  `json:"ns_per"`
	CPUNsPer   float64  `json:"cpu_ns_per"`
	BuildNsPer *float64 `json:"build_ns_per,omitempty"`
	EndNsPer   *float64 `json:"end_ns_per,omitempty"`
	BytesPer   *float64 `json:"bytes_per,omitempty"`
}

// The clocks, from when they were started.
type clocks struct {
	began time.Time
	cpu   time.Duration
}

func start() clocks {
	return clocks{time.Now(), cpuTime()}
}

func (c clocks) stop() (elapsed, cpu time.Duration) {
	return time.Since(c.began), cpuTime() - c.cpu
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail("the processor time cannot be read: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

func check(have, want uint64) {
	if have != want {
		panic(fmt.Sprintf("%d came, where %d was next", have, want))
	}
}

func each(elapsed time.Duration, units uint64) float64 {
	return float64(elapsed.Nanoseconds()) / float64(units)
}

// The numbers from 0, made by four processes; the fourth gets count of them. 4 * count + 1 communications.
func commstime(count uint64, capacity int) {
	fromPrefix := make(chan uint64, capacity)
	toSuccessor := make(chan uint64, capacity)
	fromSuccessor := make(chan uint64, capacity)
	toConsumer := make(chan uint64, capacity)
	var all sync.WaitGroup
	all.Add(4)
	go func() { // prefix
		defer all.Done()
		fromPrefix <- 0
		for i := uint64(0); i < count; i++ {
			fromPrefix <- <-fromSuccessor
		}
	}()
	go func() { // delta
		defer all.Done()
		for i := uint64(0); i < count; i++ {
			number := <-fromPrefix
			toSuccessor <- number
			toConsumer <- number
		}
		<-fromPrefix
	}()
	go func() { // successor
		defer all.Done()
		for i := uint64(0); i < count; i++ {
			fromSuccessor <- <-toSuccessor + 1
		}
	}()
	go func() { // consumer
		defer all.Done()
		for i := uint64(0); i < count; i++ {
			check(<-toConsumer, i)
		}
	}()
	all.Wait()
}

// Each of count messages goes through all stages.
func pipeline(count uint64, capacity int) {
	var all sync.WaitGroup
	all.Add(stages + 2)
	first := make(chan uint64, capacity)
	go func() {
		defer all.Done()
		for i := uint64(0); i < count; i++ {
			first <- i
		}
	}()
	from := first
	for stage := 0; stage < stages; stage++ {
		to := make(chan uint64, capacity)
		go func(from <-chan uint64, to chan<- uint64) {
			defer all.Done()
			for i := uint64(0); i < count; i++ {
				to <- <-from
			}
		}(from, to)
		from = to
	}
	go func() {
		defer all.Done()
		for i := uint64(0); i < count; i++ {
			check(<-from, i)
		}
	}()
	all.Wait()
}

// Pairs of processes, each of which sends a number forth and back count times.
func pairs(count uint64, size, capacity int) {
	var all sync.WaitGroup
	all.Add(2 * size)
	for pair := 0; pair < size; pair++ {
		there, back := make(chan uint64, capacity), make(chan uint64, capacity)
		go func() {
			defer all.Done()
			for i := uint64(0); i < count; i++ {
				there <- i
				check(<-back, i)
			}
		}()
		go func() {
			defer all.Done()
			for i := uint64(0); i < count; i++ {
				back <- <-there
			}
		}()
	}
	all.Wait()
}

// A token goes around a ring: once to see that all are there, laps times against the clock, and once while they
// end. Between the first and the second part every process but the first is blocked in a receive.
func ring(laps uint64, size, capacity int) (out record) {
	withoutRing := residentBytes()
	building := start()
	var all sync.WaitGroup
	all.Add(size)
	first := make(chan uint64, capacity)
	from := first
	for process := 1; process < size; process++ {
		to := make(chan uint64, capacity)
		go func(from <-chan uint64, to chan<- uint64) {
			defer all.Done()
			for lap := uint64(0); lap < laps+2; lap++ {
				to <- <-from + 1
			}
		}(from, to)
		from = to
	}
	go func(from <-chan uint64, to chan<- uint64) {
		defer all.Done()
		token := uint64(0)
		turn := func() {
			next := token + uint64(size)
			to <- token + 1
			token = <-from
			check(token, next)
		}
		turn()
		elapsed, _ := building.stop()
		build := each(elapsed, uint64(size))
		bytes := (residentBytes() - withoutRing) / float64(size)
		turning := start()
		for lap := uint64(0); lap < laps; lap++ {
			turn()
		}
		elapsed, cpu := turning.stop()
		out.NsPer, out.CPUNsPer = each(elapsed, laps*uint64(size)), each(cpu, laps*uint64(size))
		out.BuildNsPer, out.BytesPer = &build, &bytes
		building = start()
		turn()
	}(from, first)
	all.Wait()
	elapsed, _ := building.stop()
	end := each(elapsed, uint64(size))
	out.EndNsPer = &end
	return out
}

// The memory of this program that is not a file's, after what is unused was given back.
func residentBytes() float64 {
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail("the memory cannot be read: %v", err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "RssAnon:" {
			kilobytes, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				fail("the memory cannot be read: %v", err)
			}
			return kilobytes * 1024
		}
	}
	fail("the memory cannot be read: there is no line RssAnon")
	return 0
}

func main() {
	threads := flag.Int("threads", 1, "GOMAXPROCS")
	capacity := flag.Int("capacity", 0, "of each channel")
	flag.Parse()
	if flag.NArg() != 3 {
		fail("usage: network [-threads 1] [-capacity 0] WORKLOAD COUNT SIZE")
	}
	runtime.GOMAXPROCS(*threads)
	workload := flag.Arg(0)
	count, err := strconv.ParseUint(flag.Arg(1), 10, 64)
	if err != nil || count == 0 {
		fail("COUNT must be a number of 1 or more: %s", flag.Arg(1))
	}
	// A ring of one would wait for itself.
	size, err := strconv.Atoi(flag.Arg(2))
	if err != nil || size < 2 {
		fail("SIZE must be a number of 2 or more: %s", flag.Arg(2))
	}

	var out record
	whole := start()
	units := count
	switch workload {
	case "commstime":
		units = 4*count + 1
		commstime(count, *capacity)
	case "pipeline":
		pipeline(count, *capacity)
	case "pairs-1", "pairs-2":
		units = count * uint64(size)
		pairs(count, size, *capacity)
	case "ring", "blocked":
		out = ring(count, size, *capacity)
	default:
		fail("no such workload: %s", workload)
	}
	if out.NsPer == 0 {
		elapsed, cpu := whole.stop()
		out.NsPer, out.CPUNsPer = each(elapsed, units), each(cpu, units)
	}
	out.Workload, out.Contender, out.Count, out.Size = workload, fmt.Sprintf("go:%d", *capacity), count, size
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail("the line cannot be written: %v", err)
	}
}
