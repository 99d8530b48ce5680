import { systemClock } from '../lib/clock.ts';
import { createServiceTickets } from '../operations/tickets.ts';
import { entra, entraSettings } from './entra.ts';
import { service } from './platform.ts';

export const serviceTickets = service(entraSettings, (settings) => createServiceTickets(entra(settings), systemClock));
