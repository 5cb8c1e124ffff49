package audit

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

const (
	// aDay is how many hours are told of, this one included.
	aDay = 24
	// keptOwners is how many owners of a policy's requests are told apart: those with the
	// most. shownOwners is how many of them people are told.
	keptOwners, shownOwners = 30, 10
	// allOwners is how many are kept of all policies together: 60 bytes each, if they have
	// requests in all hours.
	allOwners = 3000
	// maxDays is how much is kept, in bytes: every write is another version of it in
	// etcd.
	maxDays = 256 << 10
	// maxUnpacked is how much of it is read, in bytes of JSON.
	maxUnpacked = 8 << 20
)

// An Owner is whose a request was. The zero Owner is nobody.
type Owner struct{ Kind, Namespace, Name, Team string }

// MarshalText makes an Owner the key of a JSON object.
func (o Owner) MarshalText() ([]byte, error) {
	return []byte(strings.Join([]string{o.Kind, o.Namespace, o.Name, o.Team}, "\t")), nil
}

// UnmarshalText is the inverse of MarshalText.
func (o *Owner) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), "\t")
	if len(parts) != 4 {
		return errors.New("an owner does not have four parts")
	}
	*o = Owner{parts[0], parts[1], parts[2], parts[3]}
	return nil
}

// hours counts requests by the hour since 1970.
type hours map[int64]int64

func hourOf(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

// in returns how many there were in the day that ends with an hour.
func (h hours) in(now int64) (n int64) {
	for hour, count := range h {
		if hour > now-aDay {
			n += count
		}
	}
	return n
}

func (h hours) merge(from hours) {
	for hour, n := range from {
		h[hour] += n
	}
}

// A day is what a policy would have denied in the last 24 hours. Requests of owners that
// are not kept are in Hours alone.
type day struct {
	Since  int64           `json:"since"` // in seconds since 1970
	Hours  hours           `json:"hours"`
	Owners map[Owner]hours `json:"owners"`
}

func newDay(since int64) *day { return &day{Since: since, Hours: hours{}, Owners: map[Owner]hours{}} }

// add counts a request. Where there are too many owners, the one with the fewest requests
// is not told apart any more: who comes again and again stays.
func (d *day) add(owner Owner, now int64) {
	d.Hours[now]++
	if owner != (Owner{}) {
		d.take(owner, hours{now: 1})
	}
}

// take adds requests of an owner, for whom there always is room: who is not there yet
// would else never be, as long as each request alone is fewer than others have.
func (d *day) take(owner Owner, h hours) {
	if d.Owners[owner] == nil {
		d.cut(keptOwners - 1)
		d.Owners[owner] = hours{}
	}
	d.Owners[owner].merge(h)
}

// cut leaves the owners with the most requests. Of those with as many it is a matter of
// chance, which the order of a map is: by their names the same would go each time, and
// who comes once a minute would never be seen among many who come once.
func (d *day) cut(owners int) {
	if len(d.Owners) <= owners {
		return
	}
	counts := d.counts(0)
	all := slices.Collect(maps.Keys(counts))
	slices.SortStableFunc(all, func(a, b Owner) int { return cmp.Compare(counts[b], counts[a]) })
	for _, owner := range all[owners:] {
		delete(d.Owners, owner)
	}
}

// counts returns the requests of each owner in the day that ends with an hour; 0 stands
// for all time.
func (d *day) counts(now int64) map[Owner]int64 {
	counts := make(map[Owner]int64, len(d.Owners))
	for owner, h := range d.Owners {
		counts[owner] = h.in(now)
	}
	return counts
}

// worst returns the owners with requests in the day that ends with an hour, most first.
func (d *day) worst(now int64) []Owner {
	counts := d.counts(now)
	maps.DeleteFunc(counts, func(_ Owner, n int64) bool { return n == 0 })
	return slices.SortedFunc(maps.Keys(counts), func(a, b Owner) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Team, b.Team))
	})
}

// merge adds what another has counted of the same policy.
func (d *day) merge(from *day) {
	d.Since = min(d.Since, from.Since)
	d.Hours.merge(from.Hours)
	owners := from.worst(0)
	slices.Reverse(owners) // so that those with the most requests are the last to go
	for _, isNew := range []bool{false, true} {
		for _, owner := range owners {
			if _, there := d.Owners[owner]; there != isNew {
				d.take(owner, from.Owners[owner])
			}
		}
	}
}

// forget drops what is more than a day ago.
func (d *day) forget(now int64) {
	old := func(hour, _ int64) bool { return hour <= now-aDay }
	maps.DeleteFunc(d.Hours, old)
	for owner, h := range d.Owners {
		if maps.DeleteFunc(h, old); len(h) == 0 {
			delete(d.Owners, owner)
		}
	}
}

// told returns what people are told of it.
func (d *day) told(now time.Time) *v1alpha1.LastDay {
	hour := hourOf(now)
	begin := time.Unix(0, 0).Add(time.Duration(hour-aDay+1) * time.Hour)
	told := &v1alpha1.LastDay{Since: metav1.NewTime(time.Unix(max(d.Since, begin.Unix()), 0)), Requests: d.Hours.in(hour)}
	told.OtherRequests = told.Requests
	worst := d.worst(hour)
	for _, o := range worst[:min(shownOwners, len(worst))] {
		n := d.Owners[o].in(hour)
		told.Owners = append(told.Owners, v1alpha1.DayOwner{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Team: o.Team, Requests: n})
		told.OtherRequests -= n
	}
	return told
}

// days are those of policies, by the revision of the policy: what a policy is not any
// more says nothing of what it would deny.
type days map[string]*day

// of returns the day of a revision, which begins now if there is none.
func (ds days) of(revision string, now time.Time) *day {
	if ds[revision] == nil {
		ds[revision] = newDay(now.Unix())
	}
	return ds[revision]
}

// merge adds what others have counted. It takes nothing of theirs but the numbers.
func (ds days) merge(from days) {
	for revision, d := range from {
		if ds[revision] == nil {
			ds[revision] = newDay(d.Since)
		}
		ds[revision].merge(d)
	}
}

// forget drops what is more than a day ago, and with it policies that are not in force.
func (ds days) forget(now time.Time, inForce []string) {
	for revision, d := range ds {
		d.forget(hourOf(now))
		if len(d.Hours) == 0 && d.Since < now.Add(-aDay*time.Hour).Unix() && !slices.Contains(inForce, revision) {
			delete(ds, revision)
		}
	}
}

// isNews reports whether something is in ds that known has nothing of: a policy, or its
// first request.
func (ds days) isNews(known days) bool {
	for revision, d := range ds {
		if known[revision] == nil || len(d.Hours) > 0 && len(known[revision].Hours) == 0 {
			return true
		}
	}
	return false
}

// pack returns ds small enough to be kept, with as many owners as there is room for.
func (ds days) pack() ([]byte, error) {
	for owners := min(keptOwners, allOwners/max(1, len(ds))); ; owners /= 2 {
		for _, d := range ds {
			d.cut(owners)
		}
		data, err := json.Marshal(ds)
		if err != nil {
			return nil, fmt.Errorf("pack what would have been denied: %w", err)
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err = w.Write(data)
		switch err := errors.Join(err, w.Close()); {
		case err != nil:
			return nil, fmt.Errorf("pack what would have been denied: %w", err)
		case packed.Len() <= maxDays && len(data) <= maxUnpacked:
			return packed.Bytes(), nil
		case owners == 0:
			return nil, fmt.Errorf("what %d policies would have denied has no room in %d bytes", len(ds), maxDays)
		}
	}
}

// unpack is the inverse of pack. Of nothing it makes no days.
func unpack(packed []byte) (days, error) {
	ds := days{}
	if len(packed) == 0 {
		return ds, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return ds, fmt.Errorf("read what would have been denied: %w", err)
	}
	var read days
	if err := json.NewDecoder(io.LimitReader(r, maxUnpacked)).Decode(&read); err != nil {
		return ds, fmt.Errorf("read what would have been denied: %w", err)
	}
	maps.DeleteFunc(read, func(_ string, d *day) bool { return d == nil })
	ds.merge(read) // which leaves nothing nil
	return ds, nil
}
