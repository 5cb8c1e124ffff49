package resource

import (
	"math"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// setDefaults sets the defaults of the kinds that have any which a policy may
// read. Each function below names its source in k8s.io/kubernetes v1.37.2: the
// functions SetDefaults_* of pkg/apis/<group>/<version>/defaults.go, and those
// fields that zz_generated.defaults.go beside it sets from "+default" markers.
func setDefaults(obj runtime.Object) {
	switch o := obj.(type) {
	case *corev1.Pod:
		defaultPod(o)
	case *corev1.PodTemplate:
		defaultPodSpec(&o.Template.Spec)
	case *corev1.ReplicationController:
		defaultReplicationController(o)
	case *appsv1.ReplicaSet:
		defaultPointer(&o.Spec.Replicas, 1) // apps/v1 SetDefaults_ReplicaSet
		defaultPodSpec(&o.Spec.Template.Spec)
	case *appsv1.Deployment:
		defaultDeployment(o)
	case *appsv1.DaemonSet:
		defaultDaemonSet(o)
	case *appsv1.StatefulSet:
		defaultStatefulSet(o)
	case *batchv1.Job:
		defaultJob(o)
	case *batchv1.CronJob:
		defaultCronJob(o)
	default:
		setOtherDefaults(obj)
	}
}

// setOtherDefaults is setDefaults for kinds that have no pods.
func setOtherDefaults(obj runtime.Object) {
	switch o := obj.(type) {
	case *corev1.Service:
		defaultService(o)
	case *corev1.Namespace:
		defaultNamespace(o)
	case *corev1.Secret:
		defaultSecret(o)
	case *corev1.PersistentVolume:
		defaultPersistentVolume(o)
	case *corev1.PersistentVolumeClaim:
		defaultClaim(o)
	case *corev1.Endpoints: // core/v1 SetDefaults_Endpoints
		for _, subset := range o.Subsets {
			for i := range subset.Ports {
				defaultValue(&subset.Ports[i].Protocol, corev1.ProtocolTCP)
			}
		}
	case *corev1.LimitRange:
		defaultLimitRange(o)
	case *corev1.ResourceQuota:
		roundUp(o.Spec.Hard)
		roundUp(o.Status.Hard)
		roundUp(o.Status.Used)
	case *autoscalingv1.HorizontalPodAutoscaler: // autoscaling/v1 SetDefaults_HorizontalPodAutoscaler, and conversion.go
		defaultPointer(&o.Spec.MinReplicas, 1)
		if o.Annotations["autoscaling.alpha.kubernetes.io/metrics"] == "" {
			defaultPointer(&o.Spec.TargetCPUUtilizationPercentage, 80)
		}
	case *autoscalingv2.HorizontalPodAutoscaler:
		defaultAutoscaler(o)
	case *networkingv1.NetworkPolicy:
		defaultNetworkPolicy(o)
	case *rbacv1.RoleBinding:
		defaultBinding(&o.RoleRef, o.Subjects)
	case *rbacv1.ClusterRoleBinding:
		defaultBinding(&o.RoleRef, o.Subjects)
	case *storagev1.StorageClass: // storage/v1 SetDefaults_StorageClass
		defaultPointer(&o.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)
		defaultPointer(&o.VolumeBindingMode, storagev1.VolumeBindingImmediate)
	case *schedulingv1.PriorityClass: // scheduling/v1 SetDefaults_PriorityClass
		defaultPointer(&o.PreemptionPolicy, corev1.PreemptLowerPriority)
	}
}

// defaultValue sets a field that is at its type's zero value.
func defaultValue[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// defaultPointer sets a field that is nil.
func defaultPointer[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

// core/v1 SetDefaults_ReplicationController.
func defaultReplicationController(o *corev1.ReplicationController) {
	defaultPointer(&o.Spec.Replicas, 1)
	t := o.Spec.Template
	if t == nil {
		return
	}
	if t.Labels != nil {
		if len(o.Spec.Selector) == 0 {
			o.Spec.Selector = t.Labels
		}
		if len(o.Labels) == 0 {
			o.Labels = t.Labels
		}
	}
	defaultPodSpec(&t.Spec)
}

// apps/v1 SetDefaults_Deployment.
func defaultDeployment(o *appsv1.Deployment) {
	defaultPointer(&o.Spec.Replicas, 1)
	s := &o.Spec.Strategy
	defaultValue(&s.Type, appsv1.RollingUpdateDeploymentStrategyType)
	if s.Type == appsv1.RollingUpdateDeploymentStrategyType {
		defaultPointer(&s.RollingUpdate, appsv1.RollingUpdateDeployment{})
		defaultPointer(&s.RollingUpdate.MaxUnavailable, intstr.FromString("25%"))
		defaultPointer(&s.RollingUpdate.MaxSurge, intstr.FromString("25%"))
	}
	defaultPointer(&o.Spec.RevisionHistoryLimit, 10)
	defaultPointer(&o.Spec.ProgressDeadlineSeconds, 600)
	defaultPodSpec(&o.Spec.Template.Spec)
}

// apps/v1 SetDefaults_DaemonSet.
func defaultDaemonSet(o *appsv1.DaemonSet) {
	s := &o.Spec.UpdateStrategy
	defaultValue(&s.Type, appsv1.RollingUpdateDaemonSetStrategyType)
	if s.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		defaultPointer(&s.RollingUpdate, appsv1.RollingUpdateDaemonSet{})
		defaultPointer(&s.RollingUpdate.MaxUnavailable, intstr.FromInt32(1))
		defaultPointer(&s.RollingUpdate.MaxSurge, intstr.FromInt32(0))
	}
	defaultPointer(&o.Spec.RevisionHistoryLimit, 10)
	if o.Annotations[appsv1.DeprecatedTemplateGeneration] == "" { // Convert_apps_DaemonSet_To_v1_DaemonSet in conversion.go
		if o.Annotations == nil {
			o.Annotations = map[string]string{}
		}
		o.Annotations[appsv1.DeprecatedTemplateGeneration] = "0"
	}
	defaultPodSpec(&o.Spec.Template.Spec)
}

// apps/v1 SetDefaults_StatefulSet.
func defaultStatefulSet(o *appsv1.StatefulSet) {
	defaultValue(&o.Spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement)
	s := &o.Spec.UpdateStrategy
	if s.Type == "" {
		s.Type = appsv1.RollingUpdateStatefulSetStrategyType
		defaultPointer(&s.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{})
	}
	if s.Type == appsv1.RollingUpdateStatefulSetStrategyType && s.RollingUpdate != nil {
		defaultPointer(&s.RollingUpdate.Partition, 0)
		defaultPointer(&s.RollingUpdate.MaxUnavailable, intstr.FromInt32(1)) // gate MaxUnavailableStatefulSet
	}
	defaultPointer(&o.Spec.PersistentVolumeClaimRetentionPolicy, appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{})
	defaultValue(&o.Spec.PersistentVolumeClaimRetentionPolicy.WhenDeleted, appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	defaultValue(&o.Spec.PersistentVolumeClaimRetentionPolicy.WhenScaled, appsv1.RetainPersistentVolumeClaimRetentionPolicyType)
	defaultPointer(&o.Spec.Replicas, 1)
	defaultPointer(&o.Spec.RevisionHistoryLimit, 10)
	defaultPodSpec(&o.Spec.Template.Spec)
	for i := range o.Spec.VolumeClaimTemplates { // with type: Convert_apps_StatefulSetSpec_To_v1_StatefulSetSpec in conversion.go
		t := &o.Spec.VolumeClaimTemplates[i]
		t.APIVersion, t.Kind = "v1", "PersistentVolumeClaim"
		defaultClaim(t)
	}
}

// batch/v1 SetDefaults_Job.
func defaultJob(o *batchv1.Job) {
	if o.Spec.Parallelism == nil {
		defaultPointer(&o.Spec.Completions, 1)
	}
	defaultPointer(&o.Spec.Parallelism, 1)
	if o.Spec.BackoffLimitPerIndex != nil {
		defaultPointer(&o.Spec.BackoffLimit, math.MaxInt32)
	}
	defaultPointer(&o.Spec.BackoffLimit, 6)
	if len(o.Labels) == 0 && o.Spec.Template.Labels != nil {
		o.Labels = o.Spec.Template.Labels
	}
	defaultPointer(&o.Spec.CompletionMode, batchv1.NonIndexedCompletion)
	defaultPointer(&o.Spec.Suspend, false)
	if o.Spec.PodFailurePolicy != nil {
		defaultPointer(&o.Spec.PodReplacementPolicy, batchv1.Failed)
	}
	defaultPointer(&o.Spec.PodReplacementPolicy, batchv1.TerminatingOrFailed)
	defaultPointer(&o.Spec.ManualSelector, false)
	defaultJobSpec(&o.Spec)
}

// batch/v1 SetDefaults_CronJob. The Job in it gets no defaults until it is made.
func defaultCronJob(o *batchv1.CronJob) {
	defaultValue(&o.Spec.ConcurrencyPolicy, batchv1.AllowConcurrent)
	defaultPointer(&o.Spec.Suspend, false)
	defaultPointer(&o.Spec.SuccessfulJobsHistoryLimit, 3)
	defaultPointer(&o.Spec.FailedJobsHistoryLimit, 1)
	defaultJobSpec(&o.Spec.JobTemplate.Spec)
}

// defaultJobSpec sets what Jobs and CronJobs share.
func defaultJobSpec(s *batchv1.JobSpec) {
	if s.PodFailurePolicy != nil {
		for _, rule := range s.PodFailurePolicy.Rules {
			for i := range rule.OnPodConditions { // batch/v1 SetDefaults_PodFailurePolicyOnPodConditionsPattern
				defaultValue(&rule.OnPodConditions[i].Status, corev1.ConditionTrue)
			}
		}
	}
	defaultPodSpec(&s.Template.Spec)
}

// core/v1 SetDefaults_Service.
func defaultService(o *corev1.Service) {
	s := &o.Spec
	defaultValue(&s.SessionAffinity, corev1.ServiceAffinityNone)
	defaultValue(&s.Type, corev1.ServiceTypeClusterIP)
	defaultAffinity(s)
	for i := range s.Ports {
		p := &s.Ports[i]
		defaultValue(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	balanced := s.Type == corev1.ServiceTypeLoadBalancer
	external := balanced || s.Type == corev1.ServiceTypeNodePort
	if external || s.Type == corev1.ServiceTypeClusterIP && len(s.ExternalIPs) > 0 {
		defaultValue(&s.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
	if external || s.Type == corev1.ServiceTypeClusterIP {
		defaultPointer(&s.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	}
	if balanced {
		defaultPointer(&s.AllocateLoadBalancerNodePorts, true)
		defaultIngress(o.Status.LoadBalancer.Ingress)
	}
}

func defaultAffinity(s *corev1.ServiceSpec) {
	switch s.SessionAffinity {
	case corev1.ServiceAffinityNone:
		s.SessionAffinityConfig = nil
	case corev1.ServiceAffinityClientIP:
		c := s.SessionAffinityConfig
		if c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil {
			s.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{
				TimeoutSeconds: new(corev1.DefaultClientIPServiceAffinitySeconds),
			}}
		}
	}
}

func defaultIngress(ingress []corev1.LoadBalancerIngress) {
	for i := range ingress {
		if ingress[i].IP != "" {
			defaultPointer(&ingress[i].IPMode, corev1.LoadBalancerIPModeVIP)
		}
	}
}

// core/v1 SetDefaults_Namespace, SetDefaults_NamespaceStatus.
func defaultNamespace(o *corev1.Namespace) {
	if o.Name != "" {
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[corev1.LabelMetadataName] = o.Name
	}
	defaultValue(&o.Status.Phase, corev1.NamespaceActive)
}

// core/v1 SetDefaults_Secret, and Convert_v1_Secret_To_core_Secret in conversion.go.
func defaultSecret(o *corev1.Secret) {
	defaultValue(&o.Type, corev1.SecretTypeOpaque)
	for key, value := range o.StringData {
		if o.Data == nil {
			o.Data = map[string][]byte{}
		}
		o.Data[key] = []byte(value)
	}
	o.StringData = nil
}

// core/v1 SetDefaults_LimitRangeItem.
func defaultLimitRange(o *corev1.LimitRange) {
	for i := range o.Spec.Limits {
		l := &o.Spec.Limits[i]
		if l.Type == corev1.LimitTypeContainer {
			l.Default = fill(l.Default, l.Max)
			l.DefaultRequest = fill(fill(l.DefaultRequest, l.Default), l.Min)
		}
		for _, list := range []corev1.ResourceList{l.Max, l.Min, l.Default, l.DefaultRequest, l.MaxLimitRequestRatio} {
			roundUp(list)
		}
	}
}

// fill returns list with what is in more and not in list.
func fill(list, more corev1.ResourceList) corev1.ResourceList {
	if list == nil {
		list = make(corev1.ResourceList)
	}
	for name, q := range more {
		if _, ok := list[name]; !ok {
			list[name] = q.DeepCopy()
		}
	}
	return list
}

// autoscaling/v2 SetDefaults_HorizontalPodAutoscaler.
func defaultAutoscaler(o *autoscalingv2.HorizontalPodAutoscaler) {
	defaultPointer(&o.Spec.MinReplicas, 1)
	if len(o.Spec.Metrics) == 0 {
		o.Spec.Metrics = []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name: corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{
					Type:               autoscalingv2.UtilizationMetricType,
					AverageUtilization: new(int32(80)),
				},
			},
		}}
	}
	if b := o.Spec.Behavior; b != nil {
		percent := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PercentScalingPolicy, Value: 100, PeriodSeconds: 15}
		pods := autoscalingv2.HPAScalingPolicy{Type: autoscalingv2.PodsScalingPolicy, Value: 4, PeriodSeconds: 15}
		defaultScaling(&b.ScaleUp, pods, percent)
		defaultPointer(&b.ScaleUp.StabilizationWindowSeconds, 0)
		defaultScaling(&b.ScaleDown, percent)
	}
}

// autoscaling/v2 GenerateHPAScaleUpRules, GenerateHPAScaleDownRules.
func defaultScaling(rules **autoscalingv2.HPAScalingRules, policies ...autoscalingv2.HPAScalingPolicy) {
	defaultPointer(rules, autoscalingv2.HPAScalingRules{})
	defaultPointer(&(*rules).SelectPolicy, autoscalingv2.MaxChangePolicySelect)
	if (*rules).Policies == nil {
		(*rules).Policies = policies
	}
}

// networking/v1 SetDefaults_NetworkPolicy, SetDefaults_NetworkPolicyPort.
func defaultNetworkPolicy(o *networkingv1.NetworkPolicy) {
	if len(o.Spec.PolicyTypes) == 0 {
		o.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(o.Spec.Egress) > 0 {
			o.Spec.PolicyTypes = append(o.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	var ports []*networkingv1.NetworkPolicyPort
	for _, rule := range o.Spec.Ingress {
		for i := range rule.Ports {
			ports = append(ports, &rule.Ports[i])
		}
	}
	for _, rule := range o.Spec.Egress {
		for i := range rule.Ports {
			ports = append(ports, &rule.Ports[i])
		}
	}
	for _, port := range ports {
		defaultPointer(&port.Protocol, corev1.ProtocolTCP)
	}
}

// rbac/v1 SetDefaults_RoleBinding, SetDefaults_ClusterRoleBinding, SetDefaults_Subject.
func defaultBinding(ref *rbacv1.RoleRef, subjects []rbacv1.Subject) {
	defaultValue(&ref.APIGroup, rbacv1.GroupName)
	for i := range subjects {
		if kind := subjects[i].Kind; kind == rbacv1.UserKind || kind == rbacv1.GroupKind {
			defaultValue(&subjects[i].APIGroup, rbacv1.GroupName)
		}
	}
}
