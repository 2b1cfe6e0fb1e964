/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/tools/shelf.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "modules/inspect/tools/package.h"
#include "modules/inspect/recipe/step.h"

static struct {
	pthread_mutex_t lock;
	struct {
		struct vd_package *package; /* NULL: a free place */
		unsigned used;              /* larger: later */
	} places[VD_SHELF_PLACES];
	unsigned uses;
} shelf = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- places; the lock is held ---- */

/* -1: it is not there. */
static int find(const char *sha256, int threads)
{
	for (int i = 0; i < VD_SHELF_PLACES; i++) {
		const struct vd_package *package = shelf.places[i].package;

		if (package && vd_package_threads(package) == threads &&
		    strcmp(vd_package_sha256(package), sha256) == 0)
			return i;
	}
	return -1;
}

static bool is_idle(int i)
{
	return shelf.places[i].package && !vd_package_is_shared(shelf.places[i].package);
}

/* The one longest out of use. -1: all are in use. */
static int oldest_idle(int *ret_count)
{
	int oldest = -1;

	*ret_count = 0;
	for (int i = 0; i < VD_SHELF_PLACES; i++) {
		if (!is_idle(i))
			continue;
		(*ret_count)++;
		if (oldest < 0 || shelf.places[i].used < shelf.places[oldest].used)
			oldest = i;
	}
	return oldest;
}

static void trim(int spare)
{
	int count, oldest;

	while ((oldest = oldest_idle(&count)) >= 0 && count > spare)
		shelf.places[oldest].package = vd_package_unref(shelf.places[oldest].package);
}

/* Without a free place it is used all the same, and forgotten afterwards. */
static void put(struct vd_package *package)
{
	for (int i = 0; i < VD_SHELF_PLACES; i++) {
		if (shelf.places[i].package)
			continue;
		shelf.places[i].package = vd_package_ref(package);
		shelf.places[i].used = ++shelf.uses;
		return;
	}
}

static int take(const struct vd_network_step *network, struct vd_package **ret_package,
		struct vd_fault *fault)
{
	const int at = find(network->sha256, network->threads);
	int r;

	if (at >= 0) {
		shelf.places[at].used = ++shelf.uses;
		*ret_package = vd_package_ref(shelf.places[at].package);
		return 0;
	}
	r = vd_package_load(network->folder, network->sha256, network->threads, ret_package, fault);
	if (r < 0)
		return r;
	vd_log(VD_INFO, "model.loaded", "name=%s version=%s backend=%s sha256=%s",
	       vd_package_name(*ret_package), vd_package_version(*ret_package),
	       vd_package_backend(*ret_package), network->sha256);
	put(*ret_package);
	return 0;
}

/* ---- steps ---- */

static bool asks(const struct vd_step *step)
{
	return step->tool == VD_MODEL || step->tool == VD_OCR;
}

static int check_labels(const struct vd_package *package, const cJSON *labels, const char *pointer,
			struct vd_fault *fault)
{
	const cJSON *label;

	cJSON_ArrayForEach(label, labels)
	{
		if (vd_package_label_index(package, label->valuestring) < 0)
			return vd_recipe_refuse(fault, pointer, "the model has no class",
						label->valuestring);
	}
	return 0;
}

static int check(const struct vd_step *step, struct vd_fault *fault)
{
	const struct vd_network_step *network = &step->network;
	const bool is_text = vd_package_kind(network->package) == VD_PACKAGE_TEXTS;
	int r;

	if (is_text != (step->tool == VD_OCR))
		return vd_recipe_refuse(fault, "/package",
					is_text ? "reads text: the tool is ocr"
						: "tells classes: the tool is model",
					NULL);
	r = check_labels(network->package, network->expected, "/expected", fault);
	return r < 0 ? r
		     : check_labels(network->package, network->unexpected, "/unexpected", fault);
}

static int equip_step(struct vd_step *step, struct vd_fault *fault)
{
	int r;

	if (!asks(step) || step->network.package)
		return 0;
	r = take(&step->network, &step->network.package, fault);
	if (r < 0) {
		fault->pointer[0] = '\0'; /* of model.json, not of the parameters */
		vd_fault_under(fault, "package");
		return r;
	}
	r = check(step, fault);
	if (r < 0)
		step->network.package = vd_package_unref(step->network.package);
	return r;
}

static int equip_recipe(struct vd_recipe *recipe, struct vd_fault *fault)
{
	int r = 0;

	for (int i = 0; r == 0 && i < recipe->step_count; i++) {
		r = equip_step(&recipe->steps[i], fault);
		if (r < 0) {
			vd_fault_under(fault, recipe->steps[i].id);
			vd_fault_under(fault, "steps");
			vd_fault_under(fault, recipe->name);
			vd_fault_under(fault, "recipes");
		}
	}
	return r;
}

int vd_recipe_set_equip(struct vd_recipe_set *set, struct vd_fault *fault)
{
	int r = 0;

	pthread_mutex_lock(&shelf.lock);
	for (int i = 0; r == 0 && i < set->count; i++)
		r = equip_recipe(&set->recipes[i], fault);
	trim(VD_SHELF_SPARE);
	pthread_mutex_unlock(&shelf.lock);
	return r;
}

void vd_shelf_clear(void)
{
	pthread_mutex_lock(&shelf.lock);
	trim(0);
	pthread_mutex_unlock(&shelf.lock);
}

/* ---- telling ---- */

/* Reported state is merged: packages of steps that are gone are taken back by null. */
bool vd_recipe_add_packages(const struct vd_recipe *recipe, cJSON *json)
{
	cJSON *packages = NULL;
	bool ok = true;

	for (int i = 0; ok && i < recipe->step_count; i++) {
		const struct vd_step *step = &recipe->steps[i];
		cJSON *one;

		if (!step->network.package)
			continue;
		if (!packages)
			packages = cJSON_AddObjectToObject(json, "packages");
		one = packages ? cJSON_AddObjectToObject(packages, step->id) : NULL;
		ok = one && vd_package_add(step->network.package, one);
	}
	return ok && (packages || vd_json_add_string(json, "packages", NULL));
}
