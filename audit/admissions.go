package audit

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// The picture that Admissions gives is of a day, in hours.
const (
	aDay = 24
	// keptOwners is how many owners are told apart for a policy in an hour, shownOwners
	// how many are passed on: the worst. The rest count as "(others)".
	keptOwners  = 100
	shownOwners = 10
	others      = "(others)"
)

// Admissions counts which requests policies that do not deny would have denied in the
// last 24 hours. One counts for each replica, and [Merge] takes them together.
type Admissions struct {
	now func() time.Time

	mu    sync.Mutex
	hours map[int64]map[string]*Would // by hours since 1970, and by policy
}

// A Would is how many requests a policy would have denied, and whose they were.
type Would struct {
	Requests int            `json:"requests"`
	Owners   map[string]int `json:"owners"`
}

// NewAdmissions returns Admissions that have counted nothing. If now is nil, the clock is
// time.Now.
func NewAdmissions(now func() time.Time) *Admissions {
	if now == nil {
		now = time.Now
	}
	return &Admissions{now: now, hours: map[int64]map[string]*Would{}}
}

// Add counts a decision about an object of somebody's, "" where nobody says whose. What
// would not be denied either if the policy denied, since the object had it before or a
// controller made it, does not count.
func (a *Admissions) Add(d *engine.Decision, owner string) {
	broken := map[string]bool{}
	for _, v := range d.Violations {
		if v.Enforcement != v1alpha1.Deny && !v.Existing && !v.Controlled {
			broken[v.Policy] = true
		}
	}
	if len(broken) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	hour := a.hour()
	for policy := range broken {
		if hour[policy] == nil {
			hour[policy] = &Would{Owners: map[string]int{}}
		}
		hour[policy].add(owner)
	}
}

// hour returns the present hour, and forgets those that are more than a day ago. a is
// locked.
func (a *Admissions) hour() map[string]*Would {
	now := hourOf(a.now())
	if a.hours[now] == nil {
		maps.DeleteFunc(a.hours, func(hour int64, _ map[string]*Would) bool { return hour <= now-aDay })
		a.hours[now] = map[string]*Would{}
	}
	return a.hours[now]
}

func hourOf(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

func (w *Would) add(owner string) {
	w.Requests++
	if _, known := w.Owners[owner]; !known && len(w.Owners) >= keptOwners {
		owner = others
	}
	w.Owners[owner]++
}

// Data returns what was counted, small enough to be kept for each replica in one
// ConfigMap: about 10 KB where twenty policies find something in every hour.
func (a *Admissions) Data() ([]byte, error) {
	a.mu.Lock()
	a.hour()
	passed := map[int64]map[string]*Would{}
	for hour, policies := range a.hours {
		passed[hour] = map[string]*Would{}
		for name, w := range policies {
			passed[hour][name] = w.worst(shownOwners)
		}
	}
	a.mu.Unlock()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if err := json.NewEncoder(w).Encode(passed); err != nil {
		return nil, fmt.Errorf("encode admissions: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode admissions: %w", err)
	}
	return buf.Bytes(), nil
}

// worst returns w with only so many owners told apart.
func (w *Would) worst(n int) *Would {
	names := slices.SortedFunc(maps.Keys(w.Owners), func(a, b string) int {
		return cmp.Or(cmp.Compare(w.Owners[b], w.Owners[a]), cmp.Compare(a, b))
	})
	few := &Would{Requests: w.Requests, Owners: map[string]int{}}
	for i, name := range names {
		if i >= n {
			few.Owners[others] += w.Owners[name]
			continue
		}
		few.Owners[name] += w.Owners[name]
	}
	return few
}

// maxAdmissions is how much of a replica's data is read, in bytes of JSON: far more
// than there is room for where it is kept.
const maxAdmissions = 16 << 20

// Merge sums up, by policy, what replicas have counted in the last 24 hours. Data that
// cannot be read is an error; the rest is summed up all the same.
func Merge(now time.Time, all ...[]byte) (map[string]Would, error) {
	sum := map[string]Would{}
	var first error
	for _, data := range all {
		hours, err := readAdmissions(data)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		for hour, policies := range hours {
			if hour <= hourOf(now)-aDay {
				continue
			}
			for name, w := range policies {
				s := sum[name]
				if s.Owners == nil {
					s.Owners = map[string]int{}
				}
				s.Requests += w.Requests
				for owner, n := range w.Owners {
					s.Owners[owner] += n
				}
				sum[name] = s
			}
		}
	}
	for name, w := range sum {
		sum[name] = *w.worst(shownOwners)
	}
	return sum, first
}

func readAdmissions(data []byte) (map[int64]map[string]Would, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read admissions: %w", err)
	}
	var hours map[int64]map[string]Would
	if err := json.NewDecoder(io.LimitReader(r, maxAdmissions)).Decode(&hours); err != nil {
		return nil, fmt.Errorf("read admissions: %w", err)
	}
	return hours, nil
}
