package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// reportName is that of the report in each namespace, and of the cluster's own.
const reportName = "lintel"

// managedBy is the label by which people find the reports of Lintel's.
const managedBy = "app.kubernetes.io/managed-by"

const (
	// allReports is how large all reports may be together, in bytes of their JSON, so
	// that with what the API server adds it is less than a megabyte: where many
	// namespaces have findings, each report is cut shorter.
	allReports = 960 << 10
	// minReport is what each may have all the same, which is its two or three worst
	// results: three hundred reports are within allReports.
	minReport = 3 << 10
)

// reportLimit is how large a report may be where so many namespaces have findings. A few
// more of many make no difference: all reports would be written anew for each.
func reportLimit(spaces int) int {
	return min(maxReport, max(minReport, allReports/coarse(max(1, spaces))))
}

// coarse rounds a number up to three binary digits.
func coarse(n int) int {
	step := 1 << max(0, bits.Len(uint(n))-3)
	return (n + step - 1) / step * step
}

// reportHead is what of a report is kept free for all but its results.
const reportHead = 2 << 10

// ErrNoReports reports that the cluster has no kinds for reports, so that nothing can
// be published.
var ErrNoReports = errors.New("the cluster has no reports.openreports.io: https://github.com/openreports/reports-api has their definitions")

// Reports keeps a Report of openreports.io in each namespace, and a ClusterReport for
// what is in none. Client and Policies are required.
type Reports struct {
	Client rest.Interface
	// Policies returns the policies in force.
	Policies func() []engine.Info
	// Owner returns who owns the reports, so that they go when it goes. If nil, nobody does.
	Owner func(context.Context) (*metav1.OwnerReference, error)
	// LastDays returns what policies would have denied at admission, by name. If nil,
	// that is not told.
	LastDays func() map[string]v1alpha1.LastDay
	// Leads returns an error when somebody else may be writing. It is asked right before
	// each write. If nil, nobody else is there.
	Leads func() error
	// Tell is called with what a report says that the one before it did not, when it has
	// been written. If nil, nobody is told.
	Tell func(news []News)
	// Mended is called with the namespace of a report, "" for the ClusterReport, that
	// somebody else has changed or deleted, when that has been put right. If nil, nobody is
	// told.
	Mended func(namespace string)

	mu      sync.Mutex
	written map[string]string          // the versions of the reports as they were left, by namespace
	told    []openreports.ReportResult // of requests, when it was last looked
}

var _ Publisher = (*Reports)(nil)

// Begin has r know nothing of how it left the reports, as when it was new. It is to be
// called when r leads again: meanwhile another has written them, which is no tampering.
func (r *Reports) Begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written, r.told = nil, nil
}

// Publish writes the report of a namespace, if it says something else than before.
// Where nothing is left to say, it deletes the report.
func (r *Reports) Publish(ctx context.Context, space Space) error {
	before, err := r.read(ctx, space.Namespace)
	if err != nil {
		return err
	}
	touched := r.isTouched(space.Namespace, before)
	if space.Objects == 0 && len(r.days(space.Namespace, nil)) == 0 {
		return r.remove(ctx, space.Namespace, before)
	}
	after, err := r.report(ctx, space)
	if err != nil {
		return err
	}
	req, name := r.Client.Post(), ""
	if before != nil {
		keepTimes(after, before)
		after.ResourceVersion = before.ResourceVersion // a write in between is somebody else's
		if isSameReport(after, before) {               // so whoever has touched it has hidden nothing
			r.left(space.Namespace, before.ResourceVersion)
			return nil
		}
		req, name = r.Client.Put(), reportName
	}
	switch err := r.write(ctx, req, space.Namespace, name, after); {
	case errors.Is(err, errNoNamespace):
		r.forget(space.Namespace)
		return nil
	case err != nil:
		return err
	}
	if touched && r.Mended != nil {
		r.Mended(space.Namespace)
	}
	if r.Tell != nil {
		r.Tell(newsOf(space, before, after))
	}
	return nil
}

// isTouched reports whether a report, nil for none, is not as it was left.
func (r *Reports) isTouched(namespace string, report *openreports.Report) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	version, ok := r.written[namespace]
	return ok && (report == nil || report.ResourceVersion != version)
}

// report returns what is to be said of a namespace.
func (r *Reports) report(ctx context.Context, space Space) (*openreports.Report, error) {
	policies := map[string]engine.Info{}
	for _, info := range r.Policies() {
		policies[info.Name] = info
	}
	report := &openreports.Report{Source: source}
	report.APIVersion, report.Kind = openreports.SchemeGroupVersion.String(), kindOf(space.Namespace)
	report.Name, report.Namespace = reportName, space.Namespace
	report.Labels = map[string]string{managedBy: source}
	report.Results, report.Summary = newResults(space, policies)
	report.Results = append(report.Results, r.days(space.Namespace, policies)...)
	slices.SortStableFunc(report.Results, worstFirst)
	left := 0
	for _, f := range space.Findings {
		left += f.Left
	}
	report.Results = cut(report.Results, left, reportLimit(space.Spaces)-reportHead)
	if r.Owner != nil {
		owner, err := r.Owner(ctx)
		if err != nil {
			return nil, err
		}
		report.OwnerReferences = []metav1.OwnerReference{*owner}
	}
	return report, nil
}

func kindOf(namespace string) string {
	if namespace == "" {
		return "ClusterReport"
	}
	return "Report"
}

// A said is what tells the results of a report apart.
type said struct{ policy, rule, result, message, path, subject string }

func newSaid(r *openreports.ReportResult) said {
	s := said{r.Policy, r.Rule, string(r.Result), r.Description, r.Properties["path"], ""}
	if len(r.Subjects) > 0 {
		s.subject = r.Subjects[0].Kind + "/" + r.Subjects[0].Name
	}
	return s
}

// keepTimes has results that were there before keep the time at which they were found.
func keepTimes(after, before *openreports.Report) {
	times := map[said]metav1.Timestamp{}
	for _, result := range before.Results {
		times[newSaid(&result)] = result.Timestamp
	}
	for i := range after.Results {
		if since, ok := times[newSaid(&after.Results[i])]; ok {
			after.Results[i].Timestamp = since
		}
	}
}

// isSameReport reports whether two say the same, whoever has touched one of them.
func isSameReport(a, b *openreports.Report) bool {
	return equality.Semantic.DeepEqual(ours(a), ours(b))
}

// ours is what a report says, and what keeps it or has it go, without what the API server
// adds and what others note on it.
func ours(r *openreports.Report) *openreports.Report {
	c := *r
	c.TypeMeta = metav1.TypeMeta{}
	c.ObjectMeta = metav1.ObjectMeta{Labels: r.Labels, OwnerReferences: r.OwnerReferences, Finalizers: r.Finalizers}
	return &c
}

// Foreign returns the namespaces whose report is not as it is to be: somebody has
// changed or deleted it, it is from another run, or other requests are to be told of.
func (r *Reports) Foreign(ctx context.Context) ([]string, error) {
	there := map[string]string{}
	for _, resource := range []string{"reports", "clusterreports"} {
		var list metav1.PartialObjectMetadataList
		// Others may keep any number of reports of other names.
		req := r.Client.Get().AbsPath(reportsPath+resource).SetHeader("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1").
			Param("fieldSelector", "metadata.name="+reportName)
		if err := into(req.Do(ctx), &list); err != nil {
			return nil, missing(fmt.Errorf("list reports: %w", err))
		}
		for _, m := range list.Items {
			there[m.Namespace] = m.ResourceVersion
		}
	}
	var foreign []string
	if r.tellsOtherDays() {
		foreign = append(foreign, "")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for namespace, version := range there {
		if r.written[namespace] != version {
			foreign = append(foreign, namespace)
		}
	}
	for namespace := range r.written {
		if _, ok := there[namespace]; !ok {
			foreign = append(foreign, namespace)
		}
	}
	slices.Sort(foreign)
	return slices.Compact(foreign), nil
}

const reportsPath = "/apis/openreports.io/v1alpha1/"

// path is that of the report of a namespace, or of where it is made.
func path(namespace, name string) string {
	if namespace == "" {
		return reportsPath + "clusterreports/" + name
	}
	return reportsPath + "namespaces/" + namespace + "/reports/" + name
}

// read returns the report of a namespace, nil if there is none. A ClusterReport has the
// same fields.
func (r *Reports) read(ctx context.Context, namespace string) (*openreports.Report, error) {
	report := &openreports.Report{}
	err := into(r.Client.Get().AbsPath(path(namespace, reportName)).SetHeader("Accept", "application/json").Do(ctx), report)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // that is what is not there
	case err != nil:
		return nil, fmt.Errorf("read report: %w", err)
	}
	return report, nil
}

func into(result rest.Result, object any) error {
	data, err := sent(result)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, object)
}

// errNoNamespace says that a namespace is gone, or on its way out.
var errNoNamespace = errors.New("the namespace is gone")

// write sends a report.
func (r *Reports) write(ctx context.Context, req *rest.Request, namespace, name string, report *openreports.Report) error {
	data, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := r.leads(); err != nil {
		return err
	}
	var stored metav1.PartialObjectMetadata
	err = into(req.AbsPath(path(namespace, name)).SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(data).Do(ctx), &stored)
	switch {
	case apierrors.HasStatusCause(err, "NamespaceTerminating"), isNamespaceGone(err):
		return errNoNamespace
	case err != nil:
		if !isRefused(err) {
			r.forget(namespace) // it may have been written all the same
		}
		return missing(fmt.Errorf("write report: %w", err))
	}
	r.left(namespace, stored.ResourceVersion)
	return nil
}

func (r *Reports) remove(ctx context.Context, namespace string, before *openreports.Report) error {
	r.forget(namespace)
	if before == nil {
		return nil
	}
	if err := r.leads(); err != nil {
		return err
	}
	data, err := json.Marshal(metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &before.UID, ResourceVersion: &before.ResourceVersion}})
	if err != nil {
		return fmt.Errorf("encode options: %w", err)
	}
	err = r.Client.Delete().AbsPath(path(namespace, reportName)).SetHeader("Content-Type", "application/json").Body(data).Do(ctx).Error()
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete report: %w", err)
	}
	return nil
}

func (r *Reports) leads() error {
	if r.Leads == nil {
		return nil
	}
	return r.Leads()
}

// left notes the version in which a report was left.
func (r *Reports) left(namespace, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written == nil {
		r.written = map[string]string{}
	}
	r.written[namespace] = version
}

// forget forgets in which version a report was left.
func (r *Reports) forget(namespace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, namespace)
}

// isNamespaceGone reports whether there is no such namespace any more.
func isNamespaceGone(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// missing says what is wrong where the API server does not know the kind.
func missing(err error) error {
	if apierrors.IsNotFound(err) {
		return ErrNoReports
	}
	return err
}
