# METADATA
# title: Nothing is right
# description: The most that a policy can get wrong, of all that tests make themselves.
# custom:
#   severity: low
#   category: test
#   enforcement: deny
#   match:
#     kinds:
#       - apiGroups: [""]
#         kinds: [ConfigMap, Endpoints, Event, Namespace, Node, PersistentVolumeClaim, Pod, PodTemplate, ReplicationController, Secret, Service, ServiceAccount]
#       - apiGroups: [apiextensions.k8s.io, apps, autoscaling, batch, certificates.k8s.io, coordination.k8s.io, discovery.k8s.io, events.k8s.io, networking.k8s.io]
#         kinds: ["*"]
#     subresources: ["*"]
#     operations: [CREATE, UPDATE]
package lintel.all

violation contains {"msg": "nothing is right"}
