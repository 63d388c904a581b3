import { readFileSync } from 'node:fs';
import { parsePubkey } from '@covey/nostr';
import { readSecretKeyFile } from './keys.ts';

/** A setting is missing or wrong. The message names the variable, what it holds and what it should hold. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads settings from environment variables. An empty variable counts as not set. A method without a default throws
 * ConfigError when the variable is not set.
 */
export class EnvReader {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  optional(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }

  string(name: string, fallback?: string): string {
    const value = this.optional(name) ?? fallback;
    if (value === undefined) throw new ConfigError(`${name} is not set`);
    return value;
  }

  integer(name: string, { min, max, fallback }: { min: number; max: number; fallback?: number }): number {
    const text = this.optional(name);
    if (text === undefined && fallback !== undefined) return fallback;
    const value = Number(this.string(name));
    if (!Number.isInteger(value) || value < min || value > max)
      throw new ConfigError(`${name} is "${text}"; it must be a whole number from ${min} to ${max}`);
    return value;
  }

  number(name: string, { min, max, fallback }: { min: number; max: number; fallback?: number }): number {
    const text = this.optional(name);
    if (text === undefined && fallback !== undefined) return fallback;
    const value = Number(this.string(name));
    if (!(value >= min && value <= max))
      throw new ConfigError(`${name} is "${text}"; it must be a number from ${min} to ${max}`);
    return value;
  }

  choice<const T extends string>(name: string, choices: readonly T[], fallback?: T): T {
    const value = this.string(name, fallback);
    if (!choices.includes(value as T))
      throw new ConfigError(`${name} is "${value}"; it must be one of ${choices.join(', ')}`);
    return value as T;
  }

  url(name: string, protocols: readonly string[], fallback?: string): string {
    const value = this.string(name, fallback);
    const protocol = URL.canParse(value) ? new URL(value).protocol.slice(0, -1) : undefined;
    if (!protocol || !protocols.includes(protocol))
      throw new ConfigError(
        `${name} must be a URL that starts with ${protocols.map((p) => `${p}://`).join(' or ')}`,
      );
    return value;
  }

  /** `host:port`, `[v6]:port` or `port` (then on loopback). */
  listen(name: string, fallback?: string): { host: string; port: number } {
    const value = this.string(name, fallback);
    const match = /^(?:(?<host>.+):)?(?<port>\d{1,5})$/.exec(value);
    const port = Number(match?.groups?.['port']);
    if (!match || port > 65535)
      throw new ConfigError(`${name} is "${value}"; it must be a port or host:port`);
    return { host: (match.groups?.['host'] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
  }

  /** A comma-separated list of public keys (hex or npub), as hex. */
  pubkeys(name: string, fallback?: string): string[] {
    return this.string(name, fallback)
      .split(',')
      .filter((part) => part.trim())
      .map((part) => {
        try {
          return parsePubkey(part);
        } catch (cause) {
          throw new ConfigError(`${name}: ${(cause as Error).message}`, { cause });
        }
      });
  }

  /**
   * Public keys (hex or npub) as a comma-separated list, or, where the value is the path of a file, one a line with #
   * comments: as hex, ascending, each once. Empty when not set.
   */
  pubkeyList(name: string): string[] {
    const value = this.optional(name);
    if (value === undefined) return [];
    const isPath = /[/\\]|\.[a-z]+$/i.test(value);
    const entries = isPath
      ? this.#file(name, (path) => readFileSync(path, 'utf8').split('\n'))
      : value.split(',');
    const keys = entries.flatMap((entry, i) => {
      const text = entry.replace(/#.*/, '').trim();
      if (text === '') return [];
      try {
        return [parsePubkey(text)];
      } catch (cause) {
        const where = isPath ? `${name}: ${value}, line ${i + 1}` : name;
        throw new ConfigError(`${where}: ${(cause as Error).message}`, { cause });
      }
    });
    return [...new Set(keys)].sort();
  }

  /** The Nostr secret key (hex) in the file that this variable names. The file must be its owner's alone. */
  secretKeyFile(name: string): string {
    return this.#file(name, readSecretKeyFile);
  }

  /** The JSON in the file that this variable names. */
  jsonFile(name: string): unknown {
    return this.#file(name, (path) => JSON.parse(readFileSync(path, 'utf8')));
  }

  #file<T>(name: string, read: (path: string) => T): T {
    const path = this.string(name);
    try {
      return read(path);
    } catch (cause) {
      throw new ConfigError(`${name} names ${path}, which can't be used: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}
