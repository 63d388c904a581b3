import { workerData } from 'node:worker_threads';
import { createStderrLog } from '../stderr-log.ts';
import { Follower, type FollowOptions } from './follower.ts';

/** A thread of the plugin: see follow-in-background.ts. */
new Follower(workerData as FollowOptions, createStderrLog('strfry-plugin', process.env['COVEY_LOG'])).start();
