import { systemClock } from '../lib/clock.ts';
import { createServiceTickets } from '../operations/tickets.ts';
import { service } from './platform.ts';
import { entra, entraSettings } from './storeAccess.ts';

export const serviceTickets = service(entraSettings, (settings) => createServiceTickets(entra(settings), systemClock));
