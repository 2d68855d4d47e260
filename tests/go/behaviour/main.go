// The behaviour program does what the function table is needed for, a case an argument, and prints what came of it: panics and
// recover through all kinds of deferred calls, garbage collection, preemption, growing stacks, callers. Its binary is run as
// linked and with the function table rewritten; what it prints and how it ends must be the same.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"
)

var cases = map[string]func(){
	"callers":        callers,
	"collect":        collect,
	"defers":         defers,
	"exit-goroutine": exitGoroutine,
	"fatal":          fatal,
	"finalizers":     finalizers,
	"func-names":     funcNames,
	"nil-method":     nilMethod,
	"nil-pointer":    nilPointer,
	"panic":          func() { panic(errors.New("on purpose")) },
	"panic-in-defer": panicInDefer,
	"preempt":        preempt,
	"recover":        recoverCases,
	"reflect-call":   reflectCall,
	"repanic":        repanic,
	"stack-growth":   stackGrowth,
	"wait":           wait,
}

func main() {
	if len(os.Args) == 2 && cases[os.Args[1]] != nil {
		cases[os.Args[1]]()
		return
	}
	var names []string
	for name := range cases {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Println(strings.Join(names, "\n"))
}

// A method that recovers, reached in every way in which a deferred call can be wrapped.

type catcher struct{ name string }

func (c catcher) catch()     { report(c.name+" by value", recover()) }
func (c *catcher) catchPtr() { report(c.name+" by pointer", recover()) }
func (c catcher) catchArgument(text string) {
	report(c.name+" with "+text, recover())
}

type embedding struct{ catcher }

type interfaced interface{ catch() }

func report(what string, recovered any) { fmt.Printf("%s: %v\n", what, recovered) }

// helper is called by what is deferred, so it must not recover.
//
//go:noinline
func helper(what string) { report(what, recover()) }

// inlinedHelper is the same, small enough to be inlined into a wrapper.
func inlinedHelper(what string) { report(what, recover()) }

type indirect struct{ what string }

func (i indirect) callsHelper()        { helper(i.what) }
func (i indirect) callsInlinedHelper() { inlinedHelper(i.what) }

type calls interface {
	callsHelper()
	callsInlinedHelper()
}

type embedsIndirect struct{ indirect }

func protect(what string, f func()) {
	defer func() {
		if left := recover(); left != nil {
			fmt.Printf("%s: not recovered inside: %v\n", what, left)
		}
	}()
	f()
}

func recoverCases() {
	boom := func() { panic("boom") }
	value, pointer := catcher{"direct"}, &catcher{"pointer"}
	var through interfaced = catcher{"interface"}
	var throughEmbedded interfaced = embedding{catcher{"embedded interface"}}
	var throughPointer interfaced = &embedding{catcher{"embedded pointer"}}
	protect("value", func() { defer value.catch(); boom() })
	protect("pointer", func() { defer pointer.catchPtr(); boom() })
	protect("interface", func() { defer through.catch(); boom() })
	protect("embedded", func() { defer throughEmbedded.catch(); boom() })
	protect("embedded pointer", func() { defer throughPointer.catch(); boom() })
	protect("method value", func() { f := value.catch; defer f(); boom() })
	protect("method expression", func() { defer catcher.catch(value); boom() })
	protect("bound argument", func() { defer value.catchArgument("argument"); boom() })
	protect("interface method value", func() { f := through.catch; defer f(); boom() })
	protect("reflect", func() { defer reflect.ValueOf(value).MethodByName("String"); defer reflect.ValueOf(recoverer).Call(nil); boom() })
	for _, one := range []calls{indirect{"indirect"}, embedsIndirect{indirect{"embedded indirect"}}, &embedsIndirect{indirect{"pointer"}}} {
		protect("helper below a wrapper", func() { defer one.callsHelper(); boom() })
		protect("inlined helper below a wrapper", func() { defer one.callsInlinedHelper(); boom() })
		protect("method value of it", func() { f := one.callsInlinedHelper; defer f(); boom() })
	}
	protect("loop of defers", func() {
		for i := range 3 {
			defer func() { report(fmt.Sprint("in loop ", i), recover()) }()
		}
		boom()
	})
	protect("wrapped function", func() { defer helper("helper deferred itself"); boom() })
	protect("inlined", func() { defer inlinedHelper("inlined helper deferred itself"); boom() })
}

func recoverer() { report("reflect", recover()) }

func defers() {
	for i := range 4 {
		defer fmt.Println("deferred", i)
	}
	func() {
		defer func() { fmt.Println("inner", recover()) }()
		var numbers []int
		_ = numbers[3+len(os.Args)]
	}()
	func() {
		defer func() { fmt.Println("division", recover()) }()
		zero := len(os.Args) - 2
		fmt.Println(1 / zero)
	}()
}

func repanic() {
	defer func() { panic(fmt.Sprint("again: ", recover())) }()
	panic("first")
}

func panicInDefer() {
	defer func() { panic("second") }()
	panic("first")
}

type valued struct{ number int }

func (v valued) Get() int { return v.number }

type getter interface{ Get() int }

// nilMethod calls a method of a value through a nil pointer: the runtime takes the wrapper's name apart for the message.
func nilMethod() {
	defer func() { fmt.Println(recover()) }()
	var nothing *valued
	fmt.Println(get(nothing))
}

// get does not know whose method it calls, so the call goes through the wrapper.
//
//go:noinline
func get(one getter) int { return one.Get() }

func nilPointer() {
	var nothing *valued
	fmt.Println(nothing.number)
}

func fatal() {
	numbers := map[int]int{}
	var group sync.WaitGroup
	group.Add(1)
	go func() { group.Done() }()
	group.Wait()
	numbers[1] = 1
	select {}
}

func exitGoroutine() {
	done := make(chan bool)
	go func() {
		defer close(done)
		defer func() { fmt.Println("left, recovered:", recover()) }()
		runtime.Goexit()
	}()
	<-done
}

// collect makes garbage with the collector running all the time: every stack is scanned at every kind of place.
func collect() {
	debug.SetGCPercent(1)
	type node struct {
		next  *node
		bytes []byte
		text  string
		each  map[string]*node
	}
	var group sync.WaitGroup
	sums := make([]int, 4)
	for worker := range sums {
		group.Add(1)
		go func() {
			defer group.Done()
			var head *node
			for i := range 3000 {
				one := &node{next: head, bytes: make([]byte, i%97), text: fmt.Sprint(worker, i)}
				one.each = map[string]*node{one.text: head}
				if i%50 == 0 {
					head = nil
				}
				head = one
				func() {
					defer func() { sums[worker] += len(one.text); recover() }()
					if i%7 == 0 {
						panic(one)
					}
				}()
			}
		}()
	}
	group.Wait()
	fmt.Println(sums)
}

func preempt() {
	var stop, turns int32
	go func() {
		// A loop without a call: only a signal stops it.
		for {
			turns++
			if stop == 1 {
				return
			}
		}
	}()
	for range 20 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	fmt.Println("collected during a busy loop")
}

func stackGrowth() {
	var grow func(depth int, text *string) int
	grow = func(depth int, text *string) int {
		var room [256]byte
		room[depth%256] = byte(depth)
		if depth == 0 {
			return len(*text)
		}
		return grow(depth-1, text) + int(room[depth%256])*0
	}
	text := "on the stack"
	done := make(chan int)
	for range 4 {
		go func() { done <- grow(20000, &text) }()
	}
	for range 4 {
		fmt.Println(<-done)
	}
}

func finalizers() {
	done := make(chan string, 1)
	func() {
		one := &catcher{"finalized"}
		runtime.SetFinalizer(one, func(one *catcher) { done <- one.name })
	}()
	for range 100 {
		runtime.GC()
		select {
		case name := <-done:
			fmt.Println(name)
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	fmt.Println("never")
}

//go:noinline
func named(f func() string) string { return f() }

// funcNames prints functions' names, which stay, without source lines, which go.
func funcNames() {
	fmt.Println(runtime.FuncForPC(reflect.ValueOf(funcNames).Pointer()).Name())
	fmt.Println(runtime.FuncForPC(reflect.ValueOf(strings.Join).Pointer()).Name())
	fmt.Println(named(func() string {
		pc, _, _, _ := runtime.Caller(0)
		return runtime.FuncForPC(pc).Name()
	}))
}

// callers prints the physical frames by name.
//
//go:noinline
func callers() {
	pcs := make([]uintptr, 20)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		frame, more := frames.Next()
		fmt.Println(frame.Function)
		if !more {
			return
		}
	}
}

func reflectCall() {
	joined := reflect.ValueOf(strings.Repeat).Call([]reflect.Value{reflect.ValueOf("ab"), reflect.ValueOf(3)})
	fmt.Println(joined[0])
	made := reflect.MakeFunc(reflect.TypeOf(func(int) int { return 0 }), func(in []reflect.Value) []reflect.Value {
		runtime.GC()
		return []reflect.Value{reflect.ValueOf(int(in[0].Int()) * 2)}
	})
	fmt.Println(made.Interface().(func(int) int)(21))
	method := reflect.ValueOf(valued{7}).Method(0).Interface().(func() int)
	runtime.GC()
	fmt.Println(method())
}

// wait says that it is ready and waits for a signal: SIGQUIT dumps every goroutine.
func wait() {
	go func() { select {} }()
	fmt.Println("ready")
	time.Sleep(time.Minute)
}
