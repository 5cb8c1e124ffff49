package resource

import (
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// defaultPod sets what pods get and templates do not: a request from its limit
// above all. core/v1 SetDefaults_Pod, SetDefaults_PodStatus.
func defaultPod(o *corev1.Pod) {
	s := &o.Spec
	if t := s.TerminationGracePeriodSeconds; t != nil && *t < 0 {
		s.TerminationGracePeriodSeconds = new(int64(1))
	}
	for _, list := range [][]corev1.Container{s.Containers, s.InitContainers} {
		for i := range list {
			if r := &list[i].Resources; r.Limits != nil {
				r.Requests = fill(r.Requests, r.Limits)
			}
			if s.HostNetwork {
				for j := range list[i].Ports {
					defaultValue(&list[i].Ports[j].HostPort, list[i].Ports[j].ContainerPort)
				}
			}
		}
	}
	defaultPointer(&s.EnableServiceLinks, corev1.DefaultEnableServiceLinks)
	defaultPodSpec(s)
	st := &o.Status
	switch {
	case st.PodIP != "" && (len(st.PodIPs) == 0 || st.PodIPs[0].IP != st.PodIP):
		st.PodIPs = []corev1.PodIP{{IP: st.PodIP}}
	case st.PodIP == "" && len(st.PodIPs) > 0:
		st.PodIP = st.PodIPs[0].IP
	}
}

// core/v1 SetDefaults_PodSpec.
func defaultPodSpec(s *corev1.PodSpec) {
	defaultValue(&s.ServiceAccountName, s.DeprecatedServiceAccount)
	s.DeprecatedServiceAccount = s.ServiceAccountName
	defaultValue(&s.DNSPolicy, corev1.DNSClusterFirst)
	defaultValue(&s.RestartPolicy, corev1.RestartPolicyAlways)
	defaultPointer(&s.SecurityContext, corev1.PodSecurityContext{})
	defaultPointer(&s.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	defaultValue(&s.SchedulerName, corev1.DefaultSchedulerName)
	for i := range s.Volumes {
		defaultVolume(&s.Volumes[i])
	}
	for i := range s.InitContainers {
		defaultContainer(&s.InitContainers[i])
	}
	for i := range s.Containers {
		defaultContainer(&s.Containers[i])
	}
	for i := range s.EphemeralContainers {
		defaultContainer((*corev1.Container)(&s.EphemeralContainers[i].EphemeralContainerCommon))
	}
	roundUp(s.Overhead)
	if s.Resources != nil {
		roundUp(s.Resources.Limits)
		roundUp(s.Resources.Requests)
	}
}

// core/v1 SetDefaults_Container, SetDefaults_ObjectFieldSelector.
func defaultContainer(c *corev1.Container) {
	defaultValue(&c.ImagePullPolicy, pullPolicy(c.Image))
	defaultValue(&c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	defaultValue(&c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	for i := range c.Ports {
		defaultValue(&c.Ports[i].Protocol, corev1.ProtocolTCP)
	}
	for _, env := range c.Env {
		if env.ValueFrom == nil {
			continue
		}
		defaultField(env.ValueFrom.FieldRef)
		if env.ValueFrom.FileKeyRef != nil {
			defaultPointer(&env.ValueFrom.FileKeyRef.Optional, false)
		}
	}
	roundUp(c.Resources.Limits)
	roundUp(c.Resources.Requests)
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		defaultProbe(p)
	}
	if c.Lifecycle != nil {
		for _, h := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if h != nil {
				defaultHTTPGet(h.HTTPGet)
			}
		}
	}
}

func defaultField(f *corev1.ObjectFieldSelector) {
	if f != nil {
		defaultValue(&f.APIVersion, "v1")
	}
}

// core/v1 SetDefaults_Probe.
func defaultProbe(p *corev1.Probe) {
	if p == nil {
		return
	}
	defaultValue(&p.TimeoutSeconds, 1)
	defaultValue(&p.PeriodSeconds, 10)
	defaultValue(&p.SuccessThreshold, 1)
	defaultValue(&p.FailureThreshold, 3)
	defaultHTTPGet(p.HTTPGet)
	if p.GRPC != nil {
		defaultPointer(&p.GRPC.Service, "")
	}
}

// core/v1 SetDefaults_HTTPGetAction.
func defaultHTTPGet(a *corev1.HTTPGetAction) {
	if a != nil {
		defaultValue(&a.Path, "/")
		defaultValue(&a.Scheme, corev1.URISchemeHTTP)
	}
}

// roundUp rounds to thousandths. core/v1 SetDefaults_ResourceList.
func roundUp(list corev1.ResourceList) {
	for name, q := range list {
		q.RoundUp(resource.Milli)
		list[name] = q
	}
}

// core/v1 SetDefaults_Volume and the functions of each kind of volume.
func defaultVolume(v *corev1.Volume) {
	if v.VolumeSource == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	switch {
	case v.Image != nil:
		defaultValue(&v.Image.PullPolicy, pullPolicy(v.Image.Reference))
	case v.HostPath != nil:
		defaultPointer(&v.HostPath.Type, corev1.HostPathUnset)
	case v.Secret != nil:
		defaultPointer(&v.Secret.DefaultMode, corev1.SecretVolumeSourceDefaultMode)
	case v.ConfigMap != nil:
		defaultPointer(&v.ConfigMap.DefaultMode, corev1.ConfigMapVolumeSourceDefaultMode)
	case v.DownwardAPI != nil:
		defaultPointer(&v.DownwardAPI.DefaultMode, corev1.DownwardAPIVolumeSourceDefaultMode)
		defaultItems(v.DownwardAPI.Items)
	case v.Projected != nil:
		defaultProjected(v.Projected)
	case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
		defaultClaimSpec(&v.Ephemeral.VolumeClaimTemplate.Spec)
	case v.ISCSI != nil:
		defaultValue(&v.ISCSI.ISCSIInterface, "default")
	case v.RBD != nil:
		defaultRBD(&v.RBD.RBDPool, &v.RBD.RadosUser, &v.RBD.Keyring)
	case v.AzureDisk != nil:
		defaultAzureDisk(v.AzureDisk)
	case v.ScaleIO != nil:
		defaultValue(&v.ScaleIO.StorageMode, "ThinProvisioned")
		defaultValue(&v.ScaleIO.FSType, "xfs")
	}
}

func defaultRBD(pool, user, keyring *string) {
	defaultValue(pool, "rbd")
	defaultValue(user, "admin")
	defaultValue(keyring, "/etc/ceph/keyring")
}

func defaultAzureDisk(d *corev1.AzureDiskVolumeSource) {
	defaultPointer(&d.CachingMode, corev1.AzureDataDiskCachingReadWrite)
	defaultPointer(&d.FSType, "ext4")
	defaultPointer(&d.ReadOnly, false)
	defaultPointer(&d.Kind, corev1.AzureSharedBlobDisk)
}

func defaultProjected(p *corev1.ProjectedVolumeSource) {
	defaultPointer(&p.DefaultMode, corev1.ProjectedVolumeSourceDefaultMode)
	for _, source := range p.Sources {
		if source.DownwardAPI != nil {
			defaultItems(source.DownwardAPI.Items)
		}
		if source.ServiceAccountToken != nil { // core/v1 SetDefaults_ServiceAccountTokenProjection
			defaultPointer(&source.ServiceAccountToken.ExpirationSeconds, 3600)
		}
	}
}

func defaultItems(items []corev1.DownwardAPIVolumeFile) {
	for _, item := range items {
		defaultField(item.FieldRef)
	}
}

// core/v1 SetDefaults_PersistentVolume.
func defaultPersistentVolume(o *corev1.PersistentVolume) {
	defaultValue(&o.Status.Phase, corev1.VolumePending)
	defaultValue(&o.Spec.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
	defaultPointer(&o.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
	roundUp(o.Spec.Capacity)
	s := &o.Spec.PersistentVolumeSource
	switch {
	case s.HostPath != nil:
		defaultPointer(&s.HostPath.Type, corev1.HostPathUnset)
	case s.ISCSI != nil:
		defaultValue(&s.ISCSI.ISCSIInterface, "default")
	case s.RBD != nil:
		defaultRBD(&s.RBD.RBDPool, &s.RBD.RadosUser, &s.RBD.Keyring)
	case s.AzureDisk != nil:
		defaultAzureDisk(s.AzureDisk)
	case s.ScaleIO != nil:
		defaultValue(&s.ScaleIO.StorageMode, "ThinProvisioned")
		defaultValue(&s.ScaleIO.FSType, "xfs")
	}
}

// core/v1 SetDefaults_PersistentVolumeClaim.
func defaultClaim(o *corev1.PersistentVolumeClaim) {
	defaultValue(&o.Status.Phase, corev1.ClaimPending)
	defaultClaimSpec(&o.Spec)
	roundUp(o.Status.Capacity)
	roundUp(o.Status.AllocatedResources)
}

// core/v1 SetDefaults_PersistentVolumeClaimSpec.
func defaultClaimSpec(s *corev1.PersistentVolumeClaimSpec) {
	defaultPointer(&s.VolumeMode, corev1.PersistentVolumeFilesystem)
	roundUp(s.Resources.Limits)
	roundUp(s.Resources.Requests)
}

// imageRef is the grammar of image references: [domain/]path[:tag][@digest].
var imageRef = regexp.MustCompile(`^(?:(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*` +
	`(?::([\w][\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`)

// imageID is what names an image by its digest alone, and is no reference.
var imageID = regexp.MustCompile(`^[a-f0-9]{64}$`)

// pullPolicy returns the pull policy of an image: Always for the tag latest, which
// is the tag of those that have neither tag nor digest. What is no reference at all
// gets the other one, as in the API server.
func pullPolicy(image string) corev1.PullPolicy {
	m := imageRef.FindStringSubmatch(image)
	if m != nil && !imageID.MatchString(image) && (m[1] == "latest" || m[1] == "" && m[2] == "") {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}
