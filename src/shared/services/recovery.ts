import { createRecovery } from '../fulfilment/recovery.ts';
import { createResume } from '../fulfilment/resume.ts';
import { systemClock } from '../lib/clock.ts';
import { consumeParts } from './consume.ts';
import { grantParts } from './grants.ts';
import { service } from './platform.ts';
import { storeSettings } from './storeAccess.ts';

export const recovery = service(storeSettings, (settings) => {
  const consumes = consumeParts(settings);
  const grants = grantParts(settings);
  return createRecovery(
    [
      { name: 'consume', table: consumes.table, resume: createResume(consumes) },
      { name: 'grant', table: grants.table, resume: createResume(grants) },
    ],
    systemClock,
  );
});
