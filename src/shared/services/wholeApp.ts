import { settingsGroups } from '../config.ts';
import { requireSettings } from './platform.ts';

// The app of all functions checks every setting, also those that no function reads yet: a wrong value is found at the start.
requireSettings(settingsGroups);
