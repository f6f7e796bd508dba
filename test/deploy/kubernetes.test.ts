import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig, SETTINGS } from '../../src/config.ts';
import { parseS3Url } from '../../src/images/s3-url.ts';
import {
  CLOSING_SECONDS,
  instructions,
  isKnown,
  kubernetes,
  manifestNames,
  productionSecrets,
} from '../support/deploy.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway?.close());

describe('deploy/kubernetes', () => {
  const { deployment, configMap, secret, ingress, autoscaler } = kubernetes;
  const pod = deployment.spec.template.spec;
  const [container] = pod.containers;
  const config = readConfig({ ...configMap.data, ...productionSecrets });

  it('applies every manifest but the example of a Secret', () => {
    const applied = [...kubernetes.kustomization.resources, 'kustomization.yaml', 'secret.example.yaml'];
    expect(applied.sort()).toEqual([...manifestNames].sort());
    expect(kubernetes.namespace.metadata.name).toBe(kubernetes.kustomization.namespace);
  });

  it('sets settings and nothing else, and the product takes them', () => {
    const names = [...Object.keys(configMap.data), ...Object.keys(secret.stringData)];
    expect(names.filter((name) => !isKnown(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    expect(config).toMatchObject({ production: true, sandbox: false });
    expect(() => parseS3Url(config.storageUrl)).not.toThrow();
    expect(container.envFrom).toEqual([
      { configMapRef: { name: configMap.metadata.name } },
      { secretRef: { name: secret.metadata.name } },
    ]);
  });

  it('does not start with the values of the example', () => {
    expect(() => readConfig({ ...configMap.data, ...secret.stringData })).toThrow(/GESSO_URL_SECRET must be/);
  });

  it('selects its pods everywhere', () => {
    const { labels } = deployment.spec.template.metadata;
    const selectors = [
      deployment.spec.selector.matchLabels,
      kubernetes.service.spec.selector,
      kubernetes.disruptionBudget.spec.selector.matchLabels,
      ...pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
    ];
    expect(selectors).toHaveLength(5);
    for (const selector of selectors) expect(labels).toMatchObject(selector);
    const { apiVersion, kind, metadata } = deployment;
    expect(autoscaler.spec.scaleTargetRef).toEqual({ apiVersion, kind, name: metadata.name });
    expect(deployment.spec.replicas).toBeUndefined();
    expect(autoscaler.spec.minReplicas).toBeGreaterThanOrEqual(2);
  });

  it('leads from the Ingress to the port of the gateway, which is the one of the image', () => {
    expect(container.ports).toEqual([{ name: 'http', containerPort: Number(SETTINGS.port.default) }]);
    expect(kubernetes.service.spec.ports).toMatchObject([{ name: 'http', targetPort: 'http' }]);
    for (const rule of ingress.spec.rules) {
      expect(rule.host).toBe(new URL(config.publicUrl ?? '').host);
      expect(rule.http.paths.map(({ path }) => path)).toEqual(['/graphql', '/images/']);
      for (const { backend } of rule.http.paths) {
        expect(backend.service).toEqual({ name: kubernetes.service.metadata.name, port: { name: 'http' } });
      }
    }
  });

  it('asks the gateway what it answers: whether it lives, and whether it is ready', async () => {
    const { startupProbe, livenessProbe, readinessProbe } = container;
    const asked = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet);
    expect(new Set(asked.map(({ port }) => port))).toEqual(new Set(['http']));
    expect(asked.map(({ path }) => path)).toEqual(['/healthz', '/healthz', '/readyz']);
    for (const { path } of asked) expect((await fetch(`${gateway.url}${path}`)).status).toBe(200);
  });

  it('gives a pod the time of its drain', () => {
    const [program, seconds] = container.lifecycle.preStop.exec.command;
    expect(program).toBe('sleep');
    const needed = Number(seconds) + config.drainMs / 1_000 + CLOSING_SECONDS;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(needed);
    expect(deployment.spec.strategy.rollingUpdate.maxUnavailable).toBe(0);
  });

  it('lets the Ingress cut no wait off, hold no event back, and send nothing twice', () => {
    const { annotations } = ingress.metadata;
    const F5 = 'nginx.org/';
    const OLD = 'nginx.ingress.kubernetes.io/';
    for (const prefix of [F5, OLD]) {
      const seconds = Number.parseInt(annotations[`${prefix}proxy-read-timeout`] ?? '', 10);
      expect(seconds).toBeGreaterThan(config.waitMs / 1_000);
      expect(annotations[`${prefix}proxy-buffering`]).toMatch(/^(False|off)$/);
    }
    expect(annotations[`${F5}client-max-body-size`]).toBe('1m');
    expect(annotations[`${F5}websocket-services`]).toBe(kubernetes.service.metadata.name);
    expect(Object.keys(annotations).filter((name) => name.includes('next-upstream'))).toEqual([]);
  });

  it('opens fewer connections than PostgreSQL takes by default', () => {
    const pods = autoscaler.spec.maxReplicas + deployment.spec.strategy.rollingUpdate.maxSurge;
    expect(pods * (config.databasePoolSize + 1)).toBeLessThan(97);
  });

  it('writes into volumes, as the user of the image', () => {
    const { user = '' } = /^(?<user>\d+):/.exec(instructions('USER').at(-1) ?? '')?.groups ?? {};
    expect(pod.securityContext.runAsUser).toBe(Number(user));
    expect(container.volumeMounts.map(({ mountPath }) => mountPath)).toEqual(['/data', '/tmp']);
    expect(container.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
  });
});
