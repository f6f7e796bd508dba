import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { SETTINGS } from '../../src/config.ts';
import { ROOT } from './readme-pages.ts';

export const DEPLOY = join(ROOT, 'deploy');

/** What a stop takes on top of the drain, as docs/operating.md says. */
export const CLOSING_SECONDS = 15;

const settings = new Set<string>(Object.values(SETTINGS).map(({ env }) => env));
export const isSetting = (name: string): boolean => settings.has(name);
/** A setting, or one that the AWS SDK reads by itself. */
export const isKnown = (name: string): boolean =>
  isSetting(name) || name === 'AWS_ACCESS_KEY_ID' || name === 'AWS_SECRET_ACCESS_KEY';

/** What production can't start without, beside what the files of deploy/ set. */
export const productionSecrets = {
  DATABASE_URL: 'postgres://gesso:password@db.internal:5432/gesso',
  GESSO_URL_SECRET: 'url-secret-of-the-tests',
  GESSO_ADMIN_KEY: 'admin-key-of-the-tests',
  BETTERTOKEN_API_KEY: 'sk-key-of-the-tests',
  GESSO_PUBLIC_URL: 'https://images.example.com',
};

/** The text of a file, by its path from deploy/. */
export const deployFile = (path: string): string => readFileSync(join(DEPLOY, path), 'utf8');

/** A YAML file of deploy/, as far as the shape says. @throws {ZodError} where it has another shape. */
export const deployYaml = <Shape extends z.ZodType>(path: string, shape: Shape): z.output<Shape> =>
  shape.parse(parse(deployFile(path), { merge: true }));

const texts = z.record(z.string(), z.string());

const service = z.looseObject({
  image: z.string(),
  environment: texts.default({}),
  networks: z.array(z.string()),
  volumes: z.array(z.string()).default([]),
  read_only: z.boolean(),
  stop_grace_period: z.string(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});

/** What the tests look at in compose.yaml. */
export const compose = deployYaml(
  'compose.yaml',
  z.looseObject({
    services: z.record(z.string(), service),
    networks: z.record(z.string(), z.looseObject({})),
    volumes: z.record(z.string(), z.looseObject({})),
  }),
);
export type Service = z.output<typeof service>;

/** @throws {Error} where there is none of that name. */
export function serviceOf(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`compose.yaml has no service ${name}.`);
  return found;
}

const VARIABLE = /\$\{([A-Z0-9_]+):\?[^}]*\}/g;

/** The variables that a value of compose.yaml takes from .env, each of which must be there. */
export const variablesIn = (text: string): string[] =>
  [...text.matchAll(VARIABLE)].map(([, name = '']) => name);

/** The value, as Compose makes it. @throws {Error} where a variable is missing or empty, as Compose does. */
export const interpolate = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replaceAll(VARIABLE, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined || value === '') throw new Error(`${name} is missing.`);
    return value;
  });

/** The lines `NAME=value` of an environment file. */
export const environmentIn = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );

/** Of Compose's durations: `40s`, `2m30s`. */
export function secondsOf(duration: string): number {
  const [whole, minutes = '0', seconds = '0'] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(duration) ?? [];
  if (whole === undefined || whole === '') throw new Error(`${duration} is no duration.`);
  return Number(minutes) * 60 + Number(seconds);
}

const selector = z.object({ matchLabels: texts });
const probe = z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const metadata = z.looseObject({ name: z.string(), annotations: texts.default({}) });

/** What the tests look at in deploy/kubernetes/. */
export const kubernetes = {
  kustomization: deployYaml(
    'kubernetes/kustomization.yaml',
    z.looseObject({
      namespace: z.string(),
      resources: z.array(z.string()),
      images: z.array(z.object({ name: z.string(), newName: z.string(), newTag: z.string() })),
    }),
  ),
  namespace: deployYaml('kubernetes/namespace.yaml', z.looseObject({ metadata })),
  configMap: deployYaml('kubernetes/configmap.yaml', z.looseObject({ metadata, data: texts })),
  secret: deployYaml('kubernetes/secret.example.yaml', z.looseObject({ metadata, stringData: texts })),
  service: deployYaml(
    'kubernetes/service.yaml',
    z.looseObject({
      metadata,
      spec: z.object({
        selector: texts,
        ports: z.array(z.looseObject({ name: z.string(), targetPort: z.string() })),
      }),
    }),
  ),
  ingress: deployYaml(
    'kubernetes/ingress.yaml',
    z.looseObject({
      metadata,
      spec: z.looseObject({
        rules: z.array(
          z.object({
            host: z.string(),
            http: z.object({
              paths: z.array(
                z.looseObject({
                  path: z.string(),
                  backend: z.object({
                    service: z.object({ name: z.string(), port: z.object({ name: z.string() }) }),
                  }),
                }),
              ),
            }),
          }),
        ),
      }),
    }),
  ),
  disruptionBudget: deployYaml(
    'kubernetes/poddisruptionbudget.yaml',
    z.looseObject({ spec: z.looseObject({ selector }) }),
  ),
  autoscaler: deployYaml(
    'kubernetes/horizontalpodautoscaler.yaml',
    z.looseObject({
      spec: z.looseObject({
        scaleTargetRef: z.object({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
        minReplicas: z.number(),
        maxReplicas: z.number(),
      }),
    }),
  ),
  deployment: deployYaml(
    'kubernetes/deployment.yaml',
    z.looseObject({
      apiVersion: z.string(),
      kind: z.string(),
      metadata,
      spec: z.looseObject({
        replicas: z.number().optional(),
        selector,
        strategy: z.object({ rollingUpdate: z.object({ maxUnavailable: z.number(), maxSurge: z.number() }) }),
        template: z.object({
          metadata: z.object({ labels: texts }),
          spec: z.looseObject({
            terminationGracePeriodSeconds: z.number(),
            securityContext: z.looseObject({ runAsNonRoot: z.literal(true), runAsUser: z.number() }),
            topologySpreadConstraints: z.array(z.looseObject({ labelSelector: selector })),
            containers: z.tuple([
              z.looseObject({
                image: z.string(),
                ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
                envFrom: z.array(
                  z.object({
                    configMapRef: z.object({ name: z.string() }).optional(),
                    secretRef: z.object({ name: z.string() }).optional(),
                  }),
                ),
                startupProbe: probe,
                livenessProbe: probe,
                readinessProbe: probe,
                lifecycle: z.object({
                  preStop: z.object({ exec: z.object({ command: z.array(z.string()) }) }),
                }),
                securityContext: z.looseObject({
                  readOnlyRootFilesystem: z.literal(true),
                  allowPrivilegeEscalation: z.literal(false),
                }),
                volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
              }),
            ]),
            volumes: z.array(z.looseObject({ name: z.string() })),
          }),
        }),
      }),
    }),
  ),
};

export const manifestNames = readdirSync(join(DEPLOY, 'kubernetes')).filter((name) => name.endsWith('.yaml'));

/** One line of the Dockerfile, continuations and all. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export const dockerfile: readonly Instruction[] = deployFile('Dockerfile')
  .replaceAll(/^\s*#.*\n/gm, '')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .flatMap((line) => {
    const [, name, text = ''] = /^([A-Z]+) (.*)$/.exec(line.trim()) ?? [];
    return name === undefined ? [] : [{ name, text: text.trim() }];
  });

/** What follows the name of each such instruction. */
export const instructions = (name: string): string[] =>
  dockerfile.filter((instruction) => instruction.name === name).map(({ text }) => text);

/** What the Dockerfile takes from the checkout. */
export const copiedFiles = (): string[] =>
  instructions('COPY')
    .filter((text) => !text.startsWith('--from='))
    .flatMap((text) => text.split(/\s+/).slice(0, -1));

/** Whether the builder gets the file: .dockerignore is a `*`, and exceptions from it. */
export function reachesTheBuilder(path: string): boolean {
  const [first, ...exceptions] = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || exceptions.some((line) => !line.startsWith('!'))) {
    throw new Error('.dockerignore is no list of what the builder gets.');
  }
  return existsSync(join(ROOT, path)) && exceptions.some((line) => matchesGlob(path, line.slice(1)));
}
